//! Prints: PDF files that the machine writes into one folder of the drive. Where a machine's print system ends in that folder, what
//! people print there reaches their browser; no printer driver is needed on either side.

use super::folder::{Folder, NodeId, ROOT};
use super::{DriveError, PRINT_FOLDER, PRINTS_MAX};

/// What was printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// Name of the file in [`PRINT_FOLDER`].
    pub name: String,
    /// Bytes; the whole drive has fewer.
    pub size: u32,
}

/// What a folder knows of prints.
#[derive(Debug, Default)]
pub(super) struct Prints {
    /// The folder of prints, where there is one.
    pub folder: Option<NodeId>,
    /// Complete, and not told yet.
    complete: Vec<NodeId>,
}

fn is_pdf(name: &str) -> bool {
    let suffix = name.len().checked_sub(4).and_then(|at| name.get(at..));
    name.len() > 4 && suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(".pdf"))
}

impl Folder {
    /// Whether the machine may print from now on. Where it may, it finds the folder; a file of that name keeps it from printing.
    pub fn offer_prints(&mut self, offered: bool) {
        if !offered {
            self.prints = Prints::default();
            return;
        }
        let made = match self.child(ROOT, PRINT_FOLDER) {
            Some(there) => self.node(there).is_ok_and(super::folder::Node::is_folder).then_some(there),
            None => self.make(ROOT, PRINT_FOLDER, true).ok(),
        };
        self.prints.folder = made;
    }

    /// Whether something lies in the folder of prints, right there.
    pub(super) fn is_print(&self, id: NodeId) -> bool {
        self.prints.folder.is_some_and(|folder| self.node(id).is_ok_and(|node| node.parent == folder))
    }

    /// The machine has written a file and closed it. Of too many prints the oldest go.
    pub(super) fn written(&mut self, id: NodeId) {
        let prints = self.is_print(id) && self.node(id).is_ok_and(|node| is_pdf(&node.name) && node.size() > 0);
        let Some(folder) = self.prints.folder.filter(|_| prints) else { return };
        let old: Vec<NodeId> = self.children(folder).map(|(id, _)| id).filter(|other| *other != id).collect();
        let surplus = (old.len() + 1).saturating_sub(PRINTS_MAX);
        for gone in old.into_iter().take(surplus) {
            self.drop_node(gone).ok();
        }
        if !self.prints.complete.contains(&id) {
            self.prints.complete.push(id);
        }
        self.changed();
    }

    /// What was printed since this was asked.
    pub fn take_prints(&mut self) -> Vec<Print> {
        let complete = std::mem::take(&mut self.prints.complete);
        let print = |id| {
            self.node(id).map(|node| {
                let size = u32::try_from(node.size()).unwrap_or(u32::MAX);
                Print { name: node.name.clone(), size }
            })
        };
        complete.into_iter().filter_map(|id| print(id).ok()).collect()
    }

    /// The folder of prints stays where it is.
    pub(super) fn may_go(&self, id: NodeId) -> Result<(), DriveError> {
        if self.prints.folder == Some(id) { Err(DriveError::PrintFolder) } else { Ok(()) }
    }
}
