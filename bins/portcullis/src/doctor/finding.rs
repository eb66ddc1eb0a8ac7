/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Good,
    /// Better otherwise, but no agent stumbles over it.
    Hint,
    /// An agent stumbles over it.
    Stumble,
}

impl Level {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Hint => "hint",
            Self::Stumble => "STUMBLE",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// The address, or the member of a document.
    pub(crate) place: String,
    /// What is so, why it matters and what to do.
    pub(crate) text: String,
}

/// Collects findings.
#[derive(Default)]
pub(super) struct Notes(Vec<Finding>);

impl Notes {
    /// All is well at a place, unless something was found there that is not.
    pub(super) fn good(&mut self, place: &str, text: impl Into<String>) {
        let here = one_line(place);
        let stumbled = |known: &Finding| known.level == Level::Stumble && known.place == here;
        if !self.0.iter().any(stumbled) {
            self.add(Level::Good, place, text);
        }
    }

    pub(super) fn hint(&mut self, place: &str, text: impl Into<String>) {
        self.add(Level::Hint, place, text);
    }

    pub(super) fn stumble(&mut self, place: &str, text: impl Into<String>) {
        self.add(Level::Stumble, place, text);
    }

    /// A stumble unless it `holds`; says whether it does.
    pub(super) fn expect(&mut self, holds: bool, place: &str, text: impl Into<String>) -> bool {
        if !holds {
            self.stumble(place, text);
        }
        holds
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.0
    }

    fn add(&mut self, level: Level, place: &str, text: impl Into<String>) {
        self.0.push(Finding { level, place: one_line(place), text: one_line(&text.into()) });
    }
}

/// What a server says stays within its finding, where it cannot pass for another one.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}
