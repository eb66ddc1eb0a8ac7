/// Runs every future at once on this thread and gives their results in order. What they do on
/// blocking threads runs in parallel.
///
/// # Panics
/// When one of them does.
pub async fn all<F: Future<Output: 'static> + 'static>(futures: Vec<F>) -> Vec<F::Output> {
    let tasks: Vec<_> = futures.into_iter().map(actix_web::rt::spawn).collect();
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        results.push(task.await.expect("a parallel task panicked"));
    }
    results
}
