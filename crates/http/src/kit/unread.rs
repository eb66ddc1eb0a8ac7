use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
    web::Bytes,
};

/// What nobody has read yet of a request's body.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Payload>>);

impl Unread {
    pub(super) fn new(payload: Payload) -> Self {
        Self(Rc::new(RefCell::new(payload)))
    }

    pub(super) fn take(&self) -> Payload {
        self.0.borrow_mut().take()
    }

    pub(super) fn put_back(&self, payload: Payload) {
        *self.0.borrow_mut() = payload;
    }
}

/// The body of an answer, together with what was not read of the request's.
///
/// The server closes a connection whose request was answered before all of it came, if the rest is
/// still there when the answer ends. If it was dropped before, a client that sends in chunks could
/// keep the connection for ever.
pub struct AnswerBody {
    body: BoxBody,
    _unread: Unread,
}

impl AnswerBody {
    pub(super) fn new(body: impl MessageBody + 'static, unread: Unread) -> Self {
        Self { body: body.boxed(), _unread: unread }
    }
}

impl MessageBody for AnswerBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
