use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_web::{rt::time::timeout, web};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Refusal;

/// The one hop from the runtime to a thread that may block, behind as many permits as the database
/// has connections: what waits is a future, not a thread.
#[derive(Clone)]
pub(crate) struct Blocking {
    permits: Arc<Semaphore>,
    wait: Duration,
    deadline: Duration,
}

impl Blocking {
    pub(crate) fn new(permits: usize, wait: Duration, deadline: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits)), wait, deadline }
    }

    /// Runs `work` on a thread that may block.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = timeout(self.wait, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(|_| Refusal::unavailable("no database permit became free in time"))?
            .map_err(|_| Refusal::internal("the database permits are closed"))?;
        hop(permit, self.deadline, work).await
    }
}

/// The hop itself. The work runs to its end and keeps its permit even when the client is gone or was
/// told to come again, so nothing is left half done.
async fn hop<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    deadline: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    #[allow(clippy::disallowed_methods)] // the one place that may
    let done = web::block(move || {
        let _held_until_done = permit;
        work()
    });
    timeout(deadline, done)
        .await
        .map_err(|_| Refusal::unavailable("the work was not done in time"))?
        .map_err(|_| Refusal::internal("a blocking task was cancelled or panicked"))
}

/// Permits for password hashes: as many at once as there are cores, a bounded number waiting, each a
/// bounded time. Taken before a thread or a connection is.
#[derive(Clone)]
pub(crate) struct HashQueue {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    most_waiting: usize,
    wait: Duration,
}

impl HashQueue {
    pub(crate) fn new(permits: usize, most_waiting: usize, wait: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(permits));
        Self { permits, waiting: Arc::default(), most_waiting, wait }
    }

    /// Runs `work`, which hashes, on a thread that may block. It needs no database permit, so that
    /// hashing leaves all of those to the others.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.permit().await?;
        hop(permit, self.wait, work).await
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let permits = Arc::clone(&self.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting, self.most_waiting)
            .ok_or_else(|| Refusal::unavailable("too many password checks wait"))?;
        timeout(self.wait, permits.acquire_owned())
            .await
            .map_err(|_| Refusal::unavailable("no hash permit became free in time"))?
            .map_err(|_| Refusal::internal("the hash permits are closed"))
    }
}

/// A place in the queue, given back when dropped: also when the client goes away.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let place = Self(Arc::clone(waiting));
        let before = waiting.fetch_add(1, Ordering::AcqRel);
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn the_queue_is_bounded_in_length_and_time() {
        let queue = HashQueue::new(1, 1, Duration::from_millis(20));
        let held = queue.permit().await.unwrap();
        let (waits, too_many) = tokio::join!(queue.permit(), queue.permit());
        for refused in [waits, too_many] {
            let refusal = refused.map(|_| ()).unwrap_err();
            assert_eq!(refusal.status.as_u16(), 503);
            assert_eq!(refusal.retry_after, Some(2));
        }
        drop(held);
        assert!(queue.permit().await.is_ok(), "places and permits come back");
    }

    #[actix_web::test]
    async fn a_hop_without_a_permit_in_time_is_503() {
        let blocking = Blocking::new(1, Duration::from_millis(20), Duration::from_secs(5));
        let held = Arc::clone(&blocking.permits).acquire_owned().await.unwrap();
        assert_eq!(blocking.run(|| 1).await.unwrap_err().status.as_u16(), 503);
        drop(held);
        assert_eq!(blocking.run(|| 1).await.unwrap(), 1);
    }
}
