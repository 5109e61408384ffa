//! What makes a server ours: four tags, written in the call that makes it. A server that lacks one of them is somebody else's, whatever
//! its name says, and is never touched.

use oriel_model::DesktopId;
use oriel_openstack::Server;

/// On everything that any Oriel makes.
const OURS: &str = "oriel";
const OF: &str = "oriel-of-";
const DESKTOP: &str = "oriel-desktop-";
const GENERATION: &str = "oriel-generation-";

/// Which generation of which desktop a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub desktop: DesktopId,
    pub generation: u32,
}

/// What all servers of this installation carry: another one may share the project.
pub(super) fn common(installation: &str) -> Vec<String> {
    vec![OURS.to_owned(), format!("{OF}{installation}")]
}

/// What all generations of a desktop carry.
pub(super) fn of_desktop(installation: &str, desktop: DesktopId) -> Vec<String> {
    let mut tags = common(installation);
    tags.push(format!("{DESKTOP}{desktop}"));
    tags
}

/// What stands in the description of something that is a desktop's and has no tags from the start.
pub(super) fn about(installation: &str, desktop: DesktopId) -> String {
    format!("{OF}{installation} {DESKTOP}{desktop}")
}

/// Whose it is by its description; none: it is not ours.
pub(super) fn of_about(text: &str, installation: &str) -> Option<DesktopId> {
    let (of, desktop) = text.split_once(' ')?;
    desktop.strip_prefix(DESKTOP)?.parse().ok().filter(|_| of.strip_prefix(OF) == Some(installation))
}

impl Mark {
    pub fn tags(self, installation: &str) -> Vec<String> {
        let mut tags = of_desktop(installation, self.desktop);
        tags.push(format!("{GENERATION}{}", self.generation));
        tags
    }

    /// None: it is not ours.
    pub fn of(server: &Server, installation: &str) -> Option<Self> {
        let has = |wanted: &str| server.tags.iter().any(|tag| tag == wanted);
        if !has(OURS) || !has(&format!("{OF}{installation}")) {
            return None;
        }
        Some(Self {
            desktop: only(server, DESKTOP)?.parse().ok()?,
            generation: only(server, GENERATION)?.parse().ok()?,
        })
    }
}

/// What stands behind a prefix, where that is said once.
fn only<'a>(server: &'a Server, prefix: &str) -> Option<&'a str> {
    let mut all = server.tags.iter().filter_map(|tag| tag.strip_prefix(prefix));
    all.next().filter(|_| all.next().is_none())
}
