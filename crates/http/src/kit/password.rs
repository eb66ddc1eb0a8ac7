//! Routes on which a signed-in person gives their password once more: every check of it is charged to
//! the client address too, and an address that may check none is refused before anything else.

use actix_web::web::Bytes;
use portcullis_flows::{Engine, LimitClass, Limited, people::Caller};
use portcullis_kernel::Origin;

use super::{Call, Refusal};

impl Call {
    /// What comes before the check: body, bearer token, and what `judge` makes of the body.
    pub(crate) async fn before_password<T: Send + 'static>(
        &mut self,
        judge: impl FnOnce(&Engine, &Caller, &Bytes) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(Caller, T), Refusal> {
        self.refuse_exhausted(LimitClass::SignIn)?;
        let bytes = self.bytes_before_bearer().await?;
        self.as_user(move |engine, caller, _| {
            let judged = judge(engine, &caller, &bytes)?;
            Ok((caller, judged))
        })
        .await
    }

    /// Counts a check of a password towards the client address, then runs `work`, which makes it, once
    /// a hash permit is free.
    pub(crate) async fn checking_password<T: Send + 'static, E: Limited>(
        &self,
        work: impl FnOnce(&Engine, &Origin) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.limit(LimitClass::SignIn).await?;
        self.hashing(move |engine, origin| {
            work(engine, origin).map_err(|error| Refusal::of_limited(error, engine.now()))
        })
        .await
    }
}
