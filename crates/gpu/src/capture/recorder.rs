//! A host that remembers what was asked of it.

use crate::{
    Sysfs,
    inventory::HOLDER_NODES,
    sysfs::{Node, Tree, command_file},
};
use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Most paths that are remembered.
const PATHS_MAX: usize = 400_000;

/// Passes everything on and remembers the answers, with every link on the way to them. It changes nothing.
pub struct Recorder<'a> {
    inner: &'a dyn Sysfs,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    tree: Tree,
    paths: usize,
    commands: usize,
    /// Whether a real path is a link, and where to.
    links: BTreeMap<String, Option<String>>,
}

impl<'a> Recorder<'a> {
    pub fn new(inner: &'a dyn Sysfs) -> Self {
        Self { inner, seen: Mutex::default() }
    }

    /// What was read, and how many commands answered.
    pub fn finish(self) -> (Tree, usize) {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        (seen.tree, seen.commands)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a node where a path leads to, and the links on the way. What was read as a file stays one.
    fn note(&self, path: &str, follow_last: bool, node: Node) {
        let mut seen = self.seen();
        if seen.paths >= PATHS_MAX || is_of_process(path) {
            return;
        }
        let mut met = Vec::new();
        let real = Tree::resolve(path, follow_last, |one| {
            if let Some(known) = seen.links.get(one) {
                return Ok(known.clone());
            }
            let target = match self.inner.link(one) {
                Ok(target) => Some(target),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(_) => None,
            };
            seen.links.insert(one.to_owned(), target.clone());
            if let Some(target) = &target {
                met.push((one.to_owned(), target.clone()));
            }
            Ok(target)
        });
        for (link, target) in met {
            seen.put(&link, Node::Link(target));
        }
        if let Ok(real) = real {
            seen.put(&real, node);
        }
    }

    /// Puts something at a path as it is: a link, a folder, or a file whose content nobody asked for.
    pub fn note_name(&self, path: &str) {
        if self.seen().paths >= PATHS_MAX {
            return;
        }
        if self.inner.link(path).is_ok() {
            self.link(path).ok();
        } else if self.inner.list(path).is_ok() {
            self.note(path, true, Node::Folder);
        } else {
            self.note(path, true, Node::File(Vec::new()));
        }
    }

    fn is_full(&self) -> bool {
        self.seen().paths >= PATHS_MAX
    }
}

impl Seen {
    fn put(&mut self, path: &str, node: Node) {
        let keep = match (self.tree.node(path), &node) {
            (Some(Node::File(old)), Node::File(new)) => new.is_empty() && !old.is_empty(),
            (Some(Node::File(_) | Node::Link(_)), _) => true,
            (Some(Node::Folder), Node::Folder) | (None, _) => false,
            (Some(Node::Folder), _) => true,
        };
        if !keep && path != "/" {
            self.paths += 1;
            self.tree.put(path, node);
        }
    }
}

/// Anything below `/proc/<pid>/`: only device nodes that are held matter, and [`Recorder::link`] sees to them.
fn is_of_process(path: &str) -> bool {
    let rest = path.strip_prefix("/proc/").unwrap_or_default();
    rest.split_once('/').is_some_and(|(pid, rest)| pid.bytes().all(|byte| byte.is_ascii_digit()) && rest != "comm")
}

impl Sysfs for Recorder<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let content = self.inner.read(path)?;
        self.note(path, true, Node::File(content.clone()));
        Ok(content)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let names = self.inner.list(path)?;
        self.note(path, true, Node::Folder);
        // Of processes only those count that hold something.
        if path.trim_end_matches('/') != "/proc" && !is_of_process(path) {
            for name in &names {
                if self.is_full() {
                    break;
                }
                self.note_name(&format!("{}/{name}", path.trim_end_matches('/')));
            }
        }
        Ok(names)
    }

    fn link(&self, path: &str) -> io::Result<String> {
        let target = self.inner.link(path)?;
        if is_of_process(path) {
            if HOLDER_NODES.iter().any(|node| target.starts_with(node)) {
                self.seen().put(path, Node::Link(target.clone()));
            }
        } else {
            self.note(path, false, Node::Link(target.clone()));
        }
        Ok(target)
    }

    fn real_path(&self, path: &str) -> io::Result<String> {
        let real = self.inner.real_path(path)?;
        if self.inner.list(&real).is_ok() {
            self.note(path, true, Node::Folder);
        } else {
            self.note(path, true, Node::File(Vec::new()));
        }
        Ok(real)
    }

    fn write(&self, _path: &str, _content: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn command(&self, argv: &[&str]) -> io::Result<String> {
        let file = command_file(argv);
        if let Some(Node::File(content)) = self.seen().tree.node(&file) {
            return Ok(String::from_utf8_lossy(content).into_owned());
        }
        let output = self.inner.command(argv)?;
        let mut seen = self.seen();
        seen.commands += 1;
        seen.put(&file, Node::File(output.clone().into_bytes()));
        Ok(output)
    }

    fn live(&self) -> bool {
        self.inner.live()
    }
}
