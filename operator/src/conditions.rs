//! Conditions that the API server evaluates before it asks (`matchConditions`), checked by the API server itself: it is
//! asked to make a webhook configuration with them, as a dry run.
//!
//! Attack, or slip: an expression that is none makes the API server refuse the configuration as a whole, and with it
//! the webhooks of all other policies.

use common::policy::MatchCondition;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition as Condition, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::core::Status;
use kube::{Api, Client, Error};
use tokio::time::{Instant, timeout_at};

/// What the configuration is called that is never made.
const NAME: &str = "trust-operator-check";

/// Who knows whether conditions can be evaluated; without a cluster, nobody.
#[derive(Default)]
pub struct Conditions {
    api: Option<Api<ValidatingWebhookConfiguration>>,
}

/// What is said about conditions.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// They can be evaluated, or nobody knows.
    Nothing,
    /// What is wrong with them, a line each.
    Wrong(Vec<String>),
    /// Why they could not be checked.
    Unknown(String),
}

impl Conditions {
    /// Those of a cluster.
    #[must_use]
    pub fn of(client: Client) -> Self {
        Self { api: Some(Api::all(client)) }
    }

    /// Asks about some, until `end`.
    pub async fn check(&self, conditions: &[MatchCondition], end: Instant) -> Said {
        let Some(api) = self.api.as_ref().filter(|_| !conditions.is_empty()) else { return Said::Nothing };
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        match timeout_at(end, api.create(&dry_run, &configuration(conditions))).await {
            Ok(Ok(_)) => Said::Nothing,
            Ok(Err(Error::Api(status))) if status.code == 422 => Said::Wrong(causes(&status)),
            Ok(Err(error)) => Said::Unknown(error.to_string()),
            Err(_) => Said::Unknown("the API server gave no answer in time".to_owned()),
        }
    }
}

fn configuration(conditions: &[MatchCondition]) -> ValidatingWebhookConfiguration {
    let condition =
        |one: &MatchCondition| Condition { name: one.name.clone(), expression: one.expression.clone() };
    let webhook = ValidatingWebhook {
        name: "check.kubectl-trust.io".to_owned(),
        client_config: WebhookClientConfig {
            url: Some("https://127.0.0.1/".to_owned()),
            ..WebhookClientConfig::default()
        },
        match_conditions: Some(conditions.iter().map(condition).collect()),
        side_effects: "None".to_owned(),
        admission_review_versions: vec!["v1".to_owned()],
        ..ValidatingWebhook::default()
    };
    let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
    ValidatingWebhookConfiguration { metadata, webhooks: Some(vec![webhook]) }
}

/// `matchConditions[0].expression: Invalid value: …`.
fn causes(status: &Status) -> Vec<String> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let line = |field: &str, message: &str| {
        format!("{}: {}", field.strip_prefix("webhooks[0].").unwrap_or(field), message.trim())
    };
    let lines: Vec<_> = causes.map(|cause| line(&cause.field, &cause.message)).collect();
    if lines.is_empty() { vec![status.message.clone()] } else { lines }
}
