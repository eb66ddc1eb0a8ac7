use portcullis_kernel::Instant;
use tokio::sync::watch;

/// A question that is asked once for everybody who waits for the answer. It goes on when nobody does.
pub(crate) struct Flight<T> {
    /// When it was asked.
    pub(crate) asked_at: Instant,
    answer: watch::Receiver<Option<T>>,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Begins on the runtime of the caller.
    pub(crate) fn start(asked_at: Instant, work: impl Future<Output = T> + Send + 'static) -> Self {
        let (sender, answer) = watch::channel(None);
        tokio::spawn(async move {
            let done = work.await;
            // Nobody may be there any more to hear it.
            let _ = sender.send(Some(done));
        });
        Self { asked_at, answer }
    }

    /// To wait with others.
    pub(crate) fn join(&self) -> Self {
        Self { asked_at: self.asked_at, answer: self.answer.clone() }
    }

    /// Whether its work has ended, in whatever way.
    pub(crate) fn is_over(&self) -> bool {
        self.answer.has_changed().is_err()
    }

    /// The answer; `None` when the work broke.
    pub(crate) async fn land(mut self) -> Option<T> {
        self.answer.wait_for(Option::is_some).await.ok()?.clone()
    }
}
