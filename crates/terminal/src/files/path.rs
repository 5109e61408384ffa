//! Paths below a root: what a browser names, and what it becomes on the machine.

use super::FilesError;

/// Longest path and longest name, in bytes (PATH_MAX and NAME_MAX of Linux).
pub const PATH_BYTES_MAX: usize = 4096;
pub const NAME_BYTES_MAX: usize = 255;

/// The library puts that letter in the place of what it cannot read, and such a name would lead to another file, or make one.
pub(super) const NOT_UTF8: &str =
    "a name in it is not in UTF-8 on the machine (\u{fffd} stands for what cannot be read); rename it in a shell";

/// A path below the root: names separated by single slashes; empty for the root itself. It has no way up: `.` and `..` are
/// not names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RemotePath(String);

impl RemotePath {
    /// Slashes at both ends and doubled ones are left out.
    pub fn parse(text: &str) -> Result<Self, FilesError> {
        let bad = |why| FilesError::bad_path(text.chars().take(200).collect::<String>(), why);
        if text.len() > PATH_BYTES_MAX {
            return Err(bad("it is longer than 4096 bytes"));
        }
        let mut path = String::with_capacity(text.len());
        for name in text.split('/').filter(|name| !name.is_empty()) {
            if name == "." || name == ".." {
                return Err(bad("it goes up"));
            }
            if name.len() > NAME_BYTES_MAX {
                return Err(bad("a name in it is longer than 255 bytes"));
            }
            if name.contains('\0') {
                return Err(bad("a name in it has a NUL"));
            }
            if name.contains(char::REPLACEMENT_CHARACTER) {
                return Err(bad(NOT_UTF8));
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(name);
        }
        Ok(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The folder that holds it and its name; `None` for the root.
    pub fn split(&self) -> Option<(Self, &str)> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.rsplit_once('/') {
            Some((folder, name)) => (Self(folder.to_owned()), name),
            None => (Self::default(), self.0.as_str()),
        })
    }

    /// As the machine knows it; the root is absolute and without a slash at its end (empty for `/`).
    pub(crate) fn below(&self, root: &str) -> String {
        if self.is_root() && root.is_empty() {
            return "/".to_owned();
        }
        if self.is_root() { root.to_owned() } else { format!("{root}/{}", self.0) }
    }
}

/// Whether what the machine resolved lies in the root.
pub(crate) fn is_below(resolved: &str, root: &str) -> bool {
    resolved.starts_with('/')
        && !resolved.split('/').any(|name| name == "..")
        && (resolved == root || resolved.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_way_up() {
        let parse = |text: &str| RemotePath::parse(text).map(|path| path.as_str().to_owned());
        assert_eq!(parse("").unwrap(), "");
        assert_eq!(parse("/a//b/").unwrap(), "a/b");
        assert_eq!(parse("a/...b/ c\n").unwrap(), "a/...b/ c\n");
        for bad in ["..", "a/../b", "./a", "a/.", "/..", "a\0", "a/b\u{fffd}", &"x".repeat(256), &"x/".repeat(3000)] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let path = RemotePath::parse("a/b").unwrap();
        assert_eq!((path.below("/home/me"), path.below("")), ("/home/me/a/b".into(), "/a/b".into()));
        assert_eq!(path.split().map(|(folder, name)| (folder.0, name)), Some(("a".to_owned(), "b")));
        assert_eq!(RemotePath::default().below(""), "/");
    }

    #[test]
    fn what_resolves_outside_is_outside() {
        for (resolved, root, inside) in [
            ("/home/me", "/home/me", true),
            ("/home/me/a", "/home/me", true),
            ("/home/mean", "/home/me", false),
            ("/etc", "/home/me", false),
            ("/home/me/../you", "/home/me", false),
            ("home/me", "/home/me", false),
            ("/anything", "", true),
            ("/", "", true),
        ] {
            assert_eq!(is_below(resolved, root), inside, "{resolved} {root}");
        }
    }
}
