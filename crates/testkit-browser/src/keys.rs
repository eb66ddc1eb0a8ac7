//! Keys that are no characters, for [`Element::type_text`](crate::Element::type_text).
//!
//! See W3C "WebDriver", section 17.4.2.

/// Goes to the next field, link or button.
pub const TAB: &str = "\u{e004}";

/// Presses what has the focus, or sends the form of a field.
pub const ENTER: &str = "\u{e007}";
