use std::error::Error;

/// Tells an operator of what no client is told: something failed, and the work went on without it.
pub trait Alarm: Send + Sync {
    /// Raises it. `what` is a fixed text; the cause is for the log.
    fn raise(&self, what: &str, cause: &dyn Error);
}

/// An error and what caused it, in one line; a cause that was said already is left out.
pub fn causes(error: &dyn Error) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if said.is_empty() {
            said = text;
        } else if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;

    #[test]
    fn causes_are_told_once_each_and_in_one_line() {
        let error = StoreError::Unavailable("connection\nrefused".into());
        assert_eq!(causes(&error), "the database is not available: connection refused");
        let twice = StoreError::Unavailable("not available".into());
        assert_eq!(causes(&twice), "the database is not available");
    }
}
