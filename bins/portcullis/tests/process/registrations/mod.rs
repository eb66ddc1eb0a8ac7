//! Agents that sign themselves up: claims under parallel fire, and what a crash leaves.

mod completions;
mod crash;
