//! A host in memory: what a capture holds, and what tests build.

use super::{FILE_MAX, LINKS_MAX, Sysfs, command_file};
use std::{collections::BTreeMap, io};

/// Most parts of a path with all links followed: a real host needs some thirty, and a hostile capture shall not cost more.
const STEPS_MAX: usize = 512;

/// A file, a link, or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    File(Vec<u8>),
    /// Its target as written, relative or absolute.
    Link(String),
    Folder,
}

/// Files by absolute path. Folders above a path exist by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    pub fn new() -> Self {
        Self::default()
    }

    /// Every path with its node, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Adds or replaces a file; `path` is absolute and without `.`, `..` or links.
    pub fn file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> &mut Self {
        self.put(path, Node::File(content.into()))
    }

    pub fn link_to(&mut self, path: &str, target: impl Into<String>) -> &mut Self {
        self.put(path, Node::Link(target.into()))
    }

    pub fn folder(&mut self, path: &str) -> &mut Self {
        self.put(path, Node::Folder)
    }

    /// What a command prints on this host.
    pub fn prints(&mut self, argv: &[&str], output: &str) -> &mut Self {
        self.file(&command_file(argv), output)
    }

    pub fn put(&mut self, path: &str, node: Node) -> &mut Self {
        let path = format!("/{}", path.trim_matches('/'));
        let mut end = path.len();
        while let Some(slash) = path.get(..end).and_then(|part| part.rfind('/')).filter(|slash| *slash > 0) {
            self.nodes.entry(path.get(..slash).unwrap_or_default().to_owned()).or_insert(Node::Folder);
            end = slash;
        }
        self.nodes.insert(path, node);
        self
    }

    /// Removes a path and all below it.
    pub fn remove(&mut self, path: &str) {
        let below = format!("{path}/");
        self.nodes.retain(|one, _| one != path && !one.starts_with(&below));
    }

    pub fn node(&self, real_path: &str) -> Option<&Node> {
        self.nodes.get(real_path)
    }

    /// [`resolve`] for those who walk another tree and fill this one.
    pub(crate) fn resolve(
        path: &str,
        follow_last: bool,
        look: impl FnMut(&str) -> io::Result<Option<String>>,
    ) -> io::Result<String> {
        resolve(path, follow_last, look)
    }

    fn walk(&self, path: &str, follow_last: bool) -> io::Result<String> {
        // A path that is there as it is written needs no walk: most are asked for so.
        if self.nodes.get(path).is_some_and(|node| !follow_last || !matches!(node, Node::Link(_))) {
            return Ok(path.to_owned());
        }
        resolve(path, follow_last, |one| match self.nodes.get(one) {
            None if one == "/" => Ok(None),
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Node::Link(target)) => Ok(Some(target.clone())),
            Some(_) => Ok(None),
        })
    }
}

/// Follows links component by component; `look` gives a link's target, `None` for anything else that exists.
pub(crate) fn resolve(
    path: &str,
    follow_last: bool,
    mut look: impl FnMut(&str) -> io::Result<Option<String>>,
) -> io::Result<String> {
    let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut done = String::new();
    let (mut links, mut steps) = (0, 0);
    while let Some(part) = todo.pop() {
        steps += 1;
        if steps > STEPS_MAX {
            return Err(io::Error::other(format!("the way to {path} is too long")));
        }
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                // Above the root is the root.
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{done}/{part}");
        let last = todo.iter().all(|rest| rest.is_empty() || rest == ".");
        match look(&next)? {
            Some(target) if !last || follow_last => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(io::Error::other(format!("too many links on the way to {path}")));
                }
                if target.starts_with('/') {
                    done.clear();
                }
                todo.extend(target.split('/').rev().map(str::to_owned));
            }
            _ => done = next,
        }
    }
    Ok(if done.is_empty() { "/".to_owned() } else { done })
}

impl Sysfs for Tree {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.nodes.get(&self.walk(path, true)?) {
            Some(Node::File(content)) => Ok(content.get(..FILE_MAX).unwrap_or(content).to_vec()),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let real = self.walk(path, true)?;
        if let Some(Node::File(_)) = self.nodes.get(&real) {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let below = if real == "/" { real } else { format!("{real}/") };
        let names = self.nodes.range(below.clone()..).map(|(one, _)| one).take_while(|one| one.starts_with(&below));
        Ok(names
            .filter_map(|one| one.get(below.len()..).filter(|name| !name.contains('/')).map(str::to_owned))
            .collect())
    }

    fn link(&self, path: &str) -> io::Result<String> {
        match self.nodes.get(&self.walk(path, false)?) {
            Some(Node::Link(target)) => Ok(target.clone()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn real_path(&self, path: &str) -> io::Result<String> {
        self.walk(path, true)
    }

    fn write(&self, _path: &str, _content: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn command(&self, argv: &[&str]) -> io::Result<String> {
        self.read(&command_file(argv)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn live(&self) -> bool {
        false
    }
}
