//! The files of the repository, without what `.gitignore` leaves out. It reads, and never writes.

use std::io;
use std::path::Path;

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path from the root, with `/` between the parts.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl File {
    /// Whether it is a Rust source file.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The crate it belongs to: `guard` for `crates/guard/src/lib.rs`.
    #[must_use]
    pub fn room(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }
}

/// All text files of the repository, ordered by path.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the tree under `root`. Files that are not UTF-8 are left out, and so is what `.gitignore` names.
    ///
    /// # Errors
    /// When a folder or a file cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let ignored = Ignored::parse(&std::fs::read_to_string(root.join(".gitignore")).unwrap_or_default());
        let mut tree = Self::default();
        tree.walk(root, "", &ignored)?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// A tree made of the given paths and texts, for tests of the rules.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        Self { files }
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    fn walk(&mut self, root: &Path, under: &str, ignored: &Ignored) -> io::Result<()> {
        for entry in std::fs::read_dir(root.join(under))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if under.is_empty() { name.clone() } else { format!("{under}/{name}") };
            if name == ".git" || ignored.names(&path, &name) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.walk(root, &path, ignored)?;
            } else if kind.is_file()
                && let Ok(text) = String::from_utf8(std::fs::read(entry.path())?)
            {
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }
}

/// The three forms that our `.gitignore` uses: `/path/from/root`, `name anywhere`, `*.suffix`.
#[derive(Debug, Default)]
struct Ignored {
    rooted: Vec<String>,
    names: Vec<String>,
    suffixes: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Self {
        let mut ignored = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let line = line.trim_end_matches('/');
            if let Some(path) = line.strip_prefix('/') {
                ignored.rooted.push(path.to_owned());
            } else if let Some(suffix) = line.strip_prefix('*') {
                ignored.suffixes.push(suffix.to_owned());
            } else {
                ignored.names.push(line.to_owned());
            }
        }
        ignored
    }

    fn names(&self, path: &str, name: &str) -> bool {
        self.rooted.iter().any(|p| p == path)
            || self.names.iter().any(|n| n == name)
            || self.suffixes.iter().any(|s| name.ends_with(s.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_ignores_is_left_out() {
        let ignored = Ignored::parse("# comment\n/target\n/fuzz/corpus/\nnode_modules\n*.pyc\n");
        for (path, name) in [
            ("target", "target"),
            ("fuzz/corpus", "corpus"),
            ("tests/sdk/node_modules", "node_modules"),
            ("a/b.pyc", "b.pyc"),
        ] {
            assert!(ignored.names(path, name), "{path}");
        }
        for (path, name) in [("crates/target", "target"), ("corpus", "corpus"), ("a/b.py", "b.py")] {
            assert!(!ignored.names(path, name), "{path}");
        }
    }

    #[test]
    fn files_know_their_room() {
        let tree =
            Tree::of(&[("crates/guard/src/lib.rs", ""), ("README.md", ""), ("fuzz/fuzz_targets/jwt.rs", "")]);
        assert_eq!(tree.file("crates/guard/src/lib.rs").and_then(File::room), Some("guard"));
        assert_eq!(tree.file("README.md").and_then(File::room), None);
        assert_eq!(tree.rust().count(), 2);
    }
}
