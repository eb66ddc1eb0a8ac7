//! Running other programs, and cargo above all.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The cargo that runs us, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map_or(own.clone(), PathBuf::from)
}

/// What cargo knows about the workspace and all that it depends on.
pub(crate) fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root())
        .other_options(vec!["--locked".to_owned()])
        .exec()
        .context("cargo metadata failed")
}

/// Says what runs, runs it, and gives its status.
pub(crate) fn announced(command: &mut Command) -> Result<ExitStatus> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let (program, arguments) = line.split_first().context("an empty command")?;
    // `cargo` reads better than the path of the toolchain's cargo.
    let short = program.rsplit('/').next().unwrap_or(program);
    eprintln!("xtask: {short} {}", arguments.join(" "));
    command.status().with_context(|| format!("{program} could not be started"))
}

/// The exit code to hand on; a program that a signal ended counts as failed.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Whether the environment sets this variable to this value.
pub(crate) fn is_set(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|found| found == value)
}
