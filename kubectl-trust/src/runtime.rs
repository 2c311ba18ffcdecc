//! The one runtime of the process.
//!
//! Connections to an API server and to registries belong to the runtime that opened them, and end with it: a
//! runtime for each question would leave the second one with a dead connection.

use std::sync::OnceLock;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Runs a future to its end.
///
/// # Errors
/// The system gives no event queue or timer.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = if let Some(runtime) = RUNTIME.get() {
        runtime
    } else {
        let made = Builder::new_current_thread().enable_all().build();
        let made = made.context("the system gives no event queue")?;
        RUNTIME.get_or_init(|| made)
    };
    Ok(runtime.block_on(future))
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    async fn answers(mut questions: mpsc::Receiver<oneshot::Sender<u32>>) {
        while let Some(answer) = questions.recv().await {
            let _ = answer.send(7);
        }
    }

    /// What a connection to an API server is: a task behind a queue, which a second question asks as well.
    #[test]
    fn what_one_question_opened_answers_the_next() {
        let queue = block_on(async {
            let (queue, questions) = mpsc::channel::<oneshot::Sender<u32>>(1);
            tokio::spawn(answers(questions));
            queue
        });
        let queue = queue.unwrap();
        let answer = block_on(async {
            let (sender, answer) = oneshot::channel();
            queue.send(sender).await.unwrap();
            answer.await.unwrap()
        });
        assert_eq!(answer.unwrap(), 7);
    }
}
