//! Sends admission reviews to a webhook, ours or any other, and measures what comes back.
//!
//! `load --url https://127.0.0.1:8443 --ca ca.crt --validate /validate/fail --object pod.json --concurrency 16
//! --seconds 10`
//!
//! Each object is sent as a CREATE, first to `--mutate`, whose patch is applied, then to `--validate`; one pass of
//! both is a *unit*. `{n}` in an object is replaced by a number that counts up, so that every unit is about another
//! image or name. Objects that must be refused come with `--refused`. Exit code 0; 1 when an answer was wrong or
//! missing; 2 for bad usage.
#![expect(
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a tool that prints what it counted"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::sleep_until;

/// Seconds that the API server would wait.
const TIMEOUT: u64 = 10;

#[derive(Parser)]
struct Args {
    /// The webhook's address: `https://HOST:PORT`.
    #[arg(long)]
    url: String,
    /// The authority of its certificate (PEM); without it, whoever answers is believed.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The path of the mutating webhook; without it, nothing is asked to mutate.
    #[arg(long)]
    mutate: Option<String>,
    /// The path of the validating webhook; without it, nothing is asked to validate.
    #[arg(long)]
    validate: Option<String>,
    /// An object to be let in (JSON); with several, one after the other.
    #[arg(long)]
    object: Vec<PathBuf>,
    /// An object to be refused.
    #[arg(long)]
    refused: Vec<PathBuf>,
    /// Units at a time.
    #[arg(long, default_value_t = 16)]
    concurrency: u64,
    /// Units a second; without it, as many as come back.
    #[arg(long)]
    rate: Option<u64>,
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How many units, instead of a time.
    #[arg(long)]
    units: Option<u64>,
    /// The process whose memory and time is measured.
    #[arg(long)]
    pid: Option<u32>,
}

/// An object, and whether it must be let in.
struct Sample {
    text: String,
    allowed: bool,
}

/// What all workers share.
struct Run {
    args: Args,
    client: Client,
    samples: Vec<Sample>,
    next: AtomicU64,
    begin: Instant,
}

/// What one worker saw.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    wrong: u64,
    failed: u64,
    first: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> anyhow::Result<bool> {
    let read = |path: &PathBuf, allowed| -> anyhow::Result<Sample> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let _object: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(Sample { text, allowed })
    };
    let good = args.object.iter().map(|path| read(path, true));
    let bad = args.refused.iter().map(|path| read(path, false));
    let samples = good.chain(bad).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(!samples.is_empty(), "what shall be sent? Give --object FILE or --refused FILE");
    let client = client(args.ca.as_deref())?;
    let before = args.pid.map(usage).transpose()?;
    let run = Arc::new(Run { client, samples, next: AtomicU64::new(0), begin: Instant::now(), args });
    let workers: Vec<_> = (0..run.args.concurrency).map(|_| tokio::spawn(work(Arc::clone(&run)))).collect();
    let mut all = Seen::default();
    for worker in workers {
        let seen = worker.await?;
        all.times.extend(seen.times);
        all.wrong += seen.wrong;
        all.failed += seen.failed;
        all.first = all.first.or(seen.first);
    }
    let took = run.begin.elapsed();
    let mut text = report(&mut all, took);
    if let (Some(pid), Some(before)) = (run.args.pid, before) {
        let now = usage(pid)?;
        let cpu = (now.ticks - before.ticks) as f64 / 100.0 / took.as_secs_f64();
        let (resident, peak) = (now.resident / 1024, now.peak / 1024);
        text.push_str(&format!("memory {resident} MiB (peak {peak}), {cpu:.2} cores\n"));
    }
    // A closed pipe ends quietly.
    let _closed = std::io::stdout().write_all(text.as_bytes());
    Ok(all.wrong + all.failed == 0)
}

fn client(ca: Option<&Path>) -> anyhow::Result<Client> {
    let builder = Client::builder().no_proxy().timeout(Duration::from_secs(TIMEOUT));
    Ok(match ca {
        Some(path) => {
            let pem = fs::read(path).with_context(|| path.display().to_string())?;
            builder.tls_certs_only([reqwest::Certificate::from_pem(&pem)?]).build()?
        }
        None => builder.tls_danger_accept_invalid_certs(true).build()?,
    })
}

async fn work(run: Arc<Run>) -> Seen {
    let mut seen = Seen::default();
    loop {
        let number = run.next.fetch_add(1, Ordering::Relaxed);
        let over =
            run.args.units.map_or(run.begin.elapsed().as_secs() >= run.args.seconds, |units| number >= units);
        if over {
            return seen;
        }
        if let Some(rate) = run.args.rate {
            let due = run.begin + Duration::from_secs_f64(number as f64 / rate as f64);
            sleep_until(due.into()).await;
        }
        let sample = &run.samples[(number % run.samples.len() as u64) as usize];
        let began = Instant::now();
        let answer = unit(&run, sample, number).await;
        seen.times.push(began.elapsed());
        match answer {
            Ok(true) => {}
            Ok(false) => {
                seen.wrong += 1;
                seen.first.get_or_insert_with(|| format!("unit {number}: a wrong answer"));
            }
            Err(error) => {
                seen.failed += 1;
                seen.first.get_or_insert_with(|| format!("unit {number}: {error:#}"));
            }
        }
    }
}

/// One object through both webhooks; whether the answer was the right one.
async fn unit(run: &Run, sample: &Sample, number: u64) -> anyhow::Result<bool> {
    let mut object: Value = serde_json::from_str(&sample.text.replace("{n}", &number.to_string()))?;
    let mut allowed = true;
    if let Some(path) = &run.args.mutate {
        let response = ask(run, path, &object, number).await?;
        allowed = response["allowed"] == json!(true);
        if let Some(patch) = response["patch"].as_str() {
            let patch: json_patch::Patch = serde_json::from_slice(&STANDARD.decode(patch)?)?;
            json_patch::patch(&mut object, &patch)?;
        }
    }
    if let Some(path) = run.args.validate.as_ref().filter(|_| allowed) {
        allowed = ask(run, path, &object, number).await?["allowed"] == json!(true);
    }
    Ok(allowed == sample.allowed)
}

async fn ask(run: &Run, path: &str, object: &Value, number: u64) -> anyhow::Result<Value> {
    let (api, kind) =
        (object["apiVersion"].as_str().unwrap_or("v1"), object["kind"].as_str().unwrap_or("Pod"));
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let resource = format!("{}s", kind.to_lowercase());
    let uid = format!("00000000-0000-4000-8000-{number:012}");
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": uid, "operation": "CREATE", "name": object["metadata"]["name"],
        "namespace": object["metadata"]["namespace"], "dryRun": false, "object": object, "oldObject": null,
        "kind": {"group": group, "version": version, "kind": kind},
        "resource": {"group": group, "version": version, "resource": resource},
        "userInfo": {"username": "system:serviceaccount:default:load", "groups": ["system:authenticated"]},
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"}}});
    let url = format!("{}{path}?timeout={TIMEOUT}s", run.args.url);
    let sent =
        run.client.post(url).header("Content-Type", "application/json").body(review.to_string()).send();
    let answer = sent.await?.error_for_status()?.bytes().await?;
    let mut answer: Value = serde_json::from_slice(&answer)?;
    ensure!(answer["response"]["uid"] == uid, "an answer to another request");
    Ok(answer["response"].take())
}

fn report(all: &mut Seen, took: Duration) -> String {
    all.times.sort_unstable();
    let at = |part: f64| {
        let index = ((all.times.len() as f64 * part) as usize).min(all.times.len().saturating_sub(1));
        all.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
    };
    let (units, seconds) = (all.times.len(), took.as_secs_f64());
    let rate = units as f64 / seconds;
    let (wrong, failed) = (all.wrong, all.failed);
    let mut text = format!("{units} units in {seconds:.1} s: {rate:.0}/s, {wrong} wrong, {failed} failed\n");
    let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
    text.push_str(&format!("ms: p50 {p50:.2}, p90 {p90:.2}, p99 {p99:.2}, max {max:.2}\n"));
    text.extend(all.first.iter().map(|first| format!("the first: {first}\n")));
    text
}

/// What the kernel counts of a process.
struct Usage {
    /// Hundredths of seconds.
    ticks: u64,
    /// KiB.
    resident: u64,
    /// KiB.
    peak: u64,
}

fn usage(pid: u32) -> anyhow::Result<Usage> {
    let read = |what: &str| {
        let path = format!("/proc/{pid}/{what}");
        fs::read_to_string(&path).context(path)
    };
    let stat = read("stat")?;
    // The name of the program, in parentheses, may hold blanks.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number =
        |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    let status = read("status")?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    Ok(Usage { ticks: number(11) + number(12), resident: kib("VmRSS:"), peak: kib("VmHWM:") })
}
