//! The text files of the repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};

/// Folders that hold no sources of ours.
const SKIPPED: [&str; 6] =
    [".git", "target", "portcullis-data", "node_modules", ".venv", "__pycache__"];

/// Files whose text the rules read.
const READ: [&str; 10] = ["rs", "md", "toml", "sql", "sh", "yml", "html", "css", "js", "py"];

/// Text files with their content, and the paths of all files and folders, relative, with `/`.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) paths: BTreeSet<String>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The text files below a folder, or one file.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .filter(move |(path, _)| path.starts_with(folder))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn walk(&mut self, directory: &Path, prefix: &str) -> Result<()> {
        let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            // A link may lead out of the repository or in a circle.
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.walk(&entry.path(), &format!("{path}/"))?;
                self.paths.insert(path);
            } else if kind.is_file() {
                if is_read(&path) {
                    let bytes = fs::read(entry.path()).with_context(|| path.clone())?;
                    self.texts.insert(path.clone(), String::from_utf8_lossy(&bytes).into_owned());
                }
                self.paths.insert(path);
            }
        }
        Ok(())
    }
}

fn is_read(path: &str) -> bool {
    path == ".ci/run" || READ.contains(&extension(path))
}

/// What follows the last dot; nothing where there is none.
pub(crate) fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
impl Tree {
    /// Builds a tree from paths and texts.
    pub(crate) fn sketch(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.texts.insert((*path).to_owned(), (*text).to_owned());
            let folders = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
            tree.paths.extend(folders.chain([*path]).map(str::to_owned));
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_without_what_was_built() {
        let root = std::env::temp_dir().join(format!("portcullis-tree-{}", std::process::id()));
        for (path, text) in [("a/b.rs", "x"), ("target/c.rs", "y"), ("d.bin", "z")] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let tree = Tree::read(&root).unwrap();
        assert_eq!(tree.texts.into_iter().collect::<Vec<_>>(), [("a/b.rs".into(), "x".into())]);
        assert_eq!(tree.paths.into_iter().collect::<Vec<_>>(), ["a", "a/b.rs", "d.bin"]);
        fs::remove_dir_all(root).unwrap();
    }
}
