//! How a page is shown.

use serde_json::{Value, json};

/// How a page is shown: at a desk, with scripts, in light colours, unless a test says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The window.
    pub window: Window,
    /// Whether the scripts of pages run.
    pub scripts: bool,
    /// The colours that the person prefers.
    pub scheme: Scheme,
}

impl Default for Settings {
    fn default() -> Self {
        Self { window: Window::DESKTOP, scripts: true, scheme: Scheme::Light }
    }
}

/// The size of what shows a page, in CSS pixels, each drawn as one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// A phone heeds `<meta name="viewport">`, and shows a page without one as if it were 980
    /// pixels wide.
    pub is_phone: bool,
}

impl Window {
    /// A small phone.
    pub const PHONE: Self = Self { width: 360, height: 780, is_phone: true };

    /// A window on a desktop.
    pub const DESKTOP: Self = Self { width: 1280, height: 900, is_phone: false };

    pub(crate) fn metrics(self) -> Value {
        json!({
            "width": self.width,
            "height": self.height,
            "deviceScaleFactor": 1,
            "mobile": self.is_phone,
        })
    }
}

/// What `prefers-color-scheme` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    pub(crate) fn media(self) -> Value {
        let value = match self {
            Self::Light => "light",
            Self::Dark => "dark",
        };
        json!({"features": [{"name": "prefers-color-scheme", "value": value}]})
    }
}
