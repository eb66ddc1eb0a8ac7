use portcullis_storage::UnitOfWork;
use portcullis_tokens::MasterKey;

use super::queue::seal_context;
use crate::{Engine, Fault};

impl Engine {
    /// Seals every mail that waits under another master key; one that cannot be opened stays behind
    /// until it expires.
    pub(crate) fn reseal_mails(
        &self,
        uow: &mut dyn UnitOfWork,
        new: &MasterKey,
    ) -> Result<(), Fault> {
        let (from, to) = (self.master_key.id(), new.id());
        for entry in uow.outbox().lock_sealed_by(&from)? {
            let context = seal_context(entry.id);
            let plain = match self.master_key.open(&context, &entry.sealed) {
                Ok(plain) => plain,
                Err(error) => {
                    // It is lost as it is, and must not keep an old master key in use.
                    self.alarm
                        .raise("a mail that waits cannot be opened and is left behind", &error);
                    continue;
                }
            };
            let sealed = new.seal(&context, &plain, self.entropy.as_ref())?;
            uow.outbox().reseal(entry.id, &from, &sealed, &to)?;
        }
        Ok(())
    }
}
