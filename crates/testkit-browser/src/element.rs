//! An element of a page.

use serde_json::{Value, json};

use crate::page::{Page, text_of};

/// The name under which WebDriver hands out references to elements.
const REFERENCE: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An element, as long as the document that it is in is shown.
#[derive(Debug)]
pub struct Element<'p> {
    page: &'p Page,
    id: String,
}

impl<'p> Element<'p> {
    pub(crate) fn from_reference(page: &'p Page, reference: &Value) -> Option<Self> {
        let id = reference.get(REFERENCE)?.as_str()?.to_owned();
        Some(Self { page, id })
    }

    /// The text that is shown.
    #[track_caller]
    pub fn text(&self) -> String {
        text_of(&self.get("text"))
    }

    /// An attribute as the document has it; `"true"` for one without a value.
    #[track_caller]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.get(&format!("attribute/{name}")).as_str().map(str::to_owned)
    }

    /// What stands in a field.
    #[track_caller]
    pub fn value(&self) -> String {
        text_of(&self.get("property/value"))
    }

    /// What a screen reader calls it.
    #[track_caller]
    pub fn label(&self) -> String {
        text_of(&self.get("computedlabel"))
    }

    /// What a screen reader says that it is, such as `button`.
    #[track_caller]
    pub fn role(&self) -> String {
        text_of(&self.get("computedrole"))
    }

    /// Whether a person sees it.
    #[track_caller]
    pub fn is_shown(&self) -> bool {
        self.get("displayed") == true
    }

    /// Types into it, after what stands there.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        self.post("value", json!({"text": text}));
    }

    /// Types into it in place of what stands there.
    #[track_caller]
    pub fn fill(&self, text: &str) {
        self.post("clear", json!({}));
        self.type_text(text);
    }

    /// Clicks it, and does not wait for what that brings about: see [`follow`](Self::follow).
    #[track_caller]
    pub fn click(&self) {
        self.post("click", json!({}));
    }

    /// Clicks a link or a button that leads to another document, and waits until that has come.
    #[track_caller]
    pub fn follow(&self) {
        self.page.leave(|| self.click());
    }

    /// Whether its document is still shown.
    pub(crate) fn is_here(&self) -> bool {
        self.page.try_call("GET", &self.path("name"), None).is_ok()
    }

    /// The text that is shown; nothing once its document has gone.
    pub(crate) fn text_now(&self) -> Option<String> {
        self.page.try_call("GET", &self.path("text"), None).ok()?.as_str().map(str::to_owned)
    }

    fn path(&self, what: &str) -> String {
        format!("/element/{}/{what}", self.id)
    }

    #[track_caller]
    fn get(&self, what: &str) -> Value {
        self.page.call("GET", &self.path(what), None)
    }

    #[track_caller]
    fn post(&self, what: &str, body: Value) {
        self.page.call("POST", &self.path(what), Some(&body));
    }
}
