//! How mail leaves: the words, the transport of the settings, and the threads that empty the outbox.

mod inbox;
mod tell;
mod worker;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;
use portcullis_email::{Letter, Message, TemplateError, Templates, ports::Transport};
use portcullis_email_transports::Directory;
use portcullis_flows::Engine;
use portcullis_kernel::MailId;

use crate::settings::{Loaded, MailTransport, Problems};

use self::inbox::Inbox;
pub(crate) use self::worker::work;

/// What is needed to send a letter.
pub(crate) struct Post {
    transport: Box<dyn Transport>,
    /// Those of the operator, if there are any.
    own: Option<Templates>,
    built_in: Templates,
    own_failed: AtomicBool,
    flow: tell::Flow,
    /// Handed over, and not yet written down as such: never to be handed over again by this process.
    handed_over: Mutex<BTreeSet<MailId>>,
}

impl Post {
    /// What these settings say; `None` when they say that nothing is sent. The engine is asked for
    /// only when the mails stay in its database.
    pub(crate) fn new(
        loaded: &Loaded,
        engine: impl FnOnce() -> Result<Arc<Engine>>,
    ) -> Result<Option<Self>> {
        let transport: Box<dyn Transport> = match loaded.settings.mail.transport {
            MailTransport::Smtp => Box::new(loaded.smtp().map_err(Problems::one)?),
            MailTransport::Directory => {
                let path = loaded.mail_directory().map_err(Problems::one)?;
                let sender = loaded.sender().map_err(Problems::one)?;
                let directory = Directory::new(path, sender);
                Box::new(directory.map_err(|e| Problems::one(loaded.explain_mail(&e)))?)
            }
            MailTransport::Inbox => Box::new(Inbox(engine()?)),
            MailTransport::None => return Ok(None),
        };
        let own = loaded.settings.mail.templates.as_ref().map(|_| loaded.templates());
        Ok(Some(Self {
            transport,
            own: own.transpose().map_err(Problems::one)?,
            built_in: loaded.built_in_templates().map_err(Problems::one)?,
            own_failed: AtomicBool::new(false),
            flow: tell::Flow::default(),
            handed_over: Mutex::default(),
        }))
    }

    /// The message that tells a letter. A template of the operator that was good at the start and
    /// fails now keeps no mail from its reader: the built-in one tells the same.
    pub(crate) fn write(&self, letter: &Letter) -> Result<Message, TemplateError> {
        if let Some(own) = &self.own {
            match own.render(letter) {
                Ok(message) => return Ok(message),
                Err(error) if !self.own_failed.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(
                        cause = %error,
                        "a template of mail.templates failed; such mails go with the built-in one \
                         until the server is started with a better one"
                    );
                }
                Err(_) => {}
            }
        }
        self.built_in.render(letter)
    }

    fn keep_in_mind(&self, id: MailId) {
        self.handed_over().insert(id);
    }

    fn is_handed_over(&self, id: MailId) -> bool {
        self.handed_over().contains(&id)
    }

    fn forget(&self, id: MailId) {
        self.handed_over().remove(&id);
    }

    fn handed_over(&self) -> MutexGuard<'_, BTreeSet<MailId>> {
        self.handed_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What hands a message over.
    pub(crate) fn transport(&self) -> &dyn Transport {
        self.transport.as_ref()
    }
}
