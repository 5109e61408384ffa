//! A recipe: a folder of readable data that says how one golden disk is made. Embedded in the program.
//!
//! | file | is |
//! |---|---|
//! | `recipe.toml` | title, suite, size and so on |
//! | `packages.txt` | one package a line, `#` comments |
//! | `exclude.txt` | paths that packages may not install; `!` lets one in again |
//! | `early/` | laid over the root file system before the packages are installed |
//! | `files/` | laid over it afterwards |
//! | `hooks/*.sh` | run inside it, in the order of their names, with `sh -eu` |
//!
//! A file is executable when it starts with `#!`; everything belongs to root.

use crate::ImageError;
use oriel_model::ImageOs;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Counts up when the way from a recipe to a disk changes, so that older cached images are not taken for new ones.
const BUILD_VERSION: u32 = 1;
/// Recorded as SOURCE_DATE_EPOCH: files newer than this get this time, so that the same inputs and packages give the same disk.
pub(crate) const SOURCE_DATE_EPOCH: u64 = 1_763_769_600;

#[derive(rust_embed::RustEmbed)]
#[folder = "recipes"]
struct Embedded;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    title: String,
    description: String,
    os: ImageOs,
    suite: String,
    architecture: String,
    components: Vec<String>,
    #[serde(default)]
    backports: bool,
    virtual_gib: u64,
    label: String,
}

/// One recipe with all its files.
pub struct Recipe {
    pub name: String,
    pub title: String,
    pub description: String,
    pub os: ImageOs,
    pub suite: String,
    pub architecture: String,
    pub components: Vec<String>,
    /// Packages that the suite lacks are looked for in its backports.
    pub(crate) backports: bool,
    /// What the guest sees, in bytes.
    pub virtual_bytes: u64,
    pub(crate) label: String,
    pub(crate) packages: Vec<String>,
    pub(crate) excludes: Vec<String>,
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

/// Every recipe that the program carries, by name.
pub fn recipes() -> Vec<Recipe> {
    let names: BTreeSet<String> =
        Embedded::iter().filter_map(|path| path.split_once('/').map(|(name, _)| name.to_owned())).collect();
    names
        .iter()
        .filter_map(|name| match recipe(name) {
            Ok(recipe) => Some(recipe),
            Err(error) => {
                tracing::error!(%error, "skipping a recipe");
                None
            }
        })
        .collect()
}

/// The recipe of that name.
pub fn recipe(name: &str) -> Result<Recipe, ImageError> {
    let prefix = format!("{name}/");
    let files: BTreeMap<String, Cow<'static, [u8]>> = Embedded::iter()
        .filter_map(|path| {
            let inner = path.strip_prefix(&prefix)?.to_owned();
            Some((inner, Embedded::get(&path)?.data))
        })
        .collect();
    if files.is_empty() {
        let known: BTreeSet<String> =
            Embedded::iter().filter_map(|path| path.split_once('/').map(|(name, _)| name.to_owned())).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(ImageError::UnknownRecipe { name: name.chars().take(80).collect(), known });
    }
    Recipe::read(name, files)
}

impl Recipe {
    fn read(name: &str, files: BTreeMap<String, Cow<'static, [u8]>>) -> Result<Self, ImageError> {
        let bad = |reason: String| ImageError::BadRecipe { name: name.to_owned(), reason };
        let text = |file: &str| -> Result<String, ImageError> {
            let bytes = files.get(file).ok_or_else(|| bad(format!("{file} is missing")))?;
            String::from_utf8(bytes.to_vec()).map_err(|_| bad(format!("{file} is not UTF-8")))
        };
        let head: Head =
            toml::from_str(&text("recipe.toml")?).map_err(|error| bad(format!("recipe.toml: {}", error.message())))?;
        let packages = lines(&text("packages.txt")?);
        let word = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b));
        if let Some(package) = packages.iter().find(|package| !word(package)) {
            return Err(bad(format!("`{package}` in packages.txt is no package name")));
        }
        if ![&head.suite, &head.architecture, &head.label].into_iter().chain(&head.components).all(|s| word(s)) {
            return Err(bad("suite, architecture, components and label are plain words".to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            title: head.title,
            description: head.description,
            os: head.os,
            suite: head.suite,
            architecture: head.architecture,
            components: head.components,
            backports: head.backports,
            virtual_bytes: head.virtual_gib << 30,
            label: head.label,
            packages,
            excludes: lines(&text("exclude.txt")?),
            files,
        })
    }

    /// Hash over all that decides what is built, but for the packages' versions: lowercase hex.
    pub fn inputs(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("oriel image {BUILD_VERSION} {SOURCE_DATE_EPOCH}\n"));
        for (path, content) in &self.files {
            hash.update(format!("{path} {}\n", content.len()));
            hash.update(content);
        }
        format!("{:x}", hash.finalize())
    }

    /// Names of the hooks, in the order in which they run.
    pub(crate) fn hooks(&self) -> Vec<String> {
        self.files
            .keys()
            .filter_map(|path| path.strip_prefix("hooks/"))
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == "sh"))
            .map(str::to_owned)
            .collect()
    }

    /// A tar of everything below `folder` in the recipe, placed below `target` of the new system.
    pub(crate) fn tar(&self, sets: &[(&str, &str)]) -> std::io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut folders = BTreeSet::new();
        for (folder, target) in sets {
            for (path, content) in &self.files {
                let Some(inner) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
                let path = format!("./{target}{inner}");
                for (at, _) in path.match_indices('/').skip(1) {
                    let folder = path.get(..=at).unwrap_or_default();
                    if folders.insert(folder.to_owned()) {
                        tar.append_data(&mut header(tar::EntryType::Directory, 0, 0o755), folder, std::io::empty())?;
                    }
                }
                let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
                tar.append_data(
                    &mut header(tar::EntryType::Regular, content.len() as u64, mode),
                    &path,
                    content.as_ref(),
                )?;
            }
        }
        tar.into_inner()
    }
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(SOURCE_DATE_EPOCH);
    header
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktop_recipe_is_whole() {
        let recipe = recipe("debian-desktop").unwrap();
        assert_eq!(recipe.suite, "bookworm");
        for package in ["xrdp", "xorgxrdp", "cloud-init", "openssh-server", "qemu-guest-agent", "xfce4-panel"] {
            assert!(recipe.packages.iter().any(|p| p == package), "{package}");
        }
        assert_eq!(recipe.hooks(), ["10-system.sh", "20-desktop.sh", "90-clean.sh"]);
        assert_eq!(recipe.inputs().len(), 64);
        assert_eq!(recipe.inputs(), super::recipe("debian-desktop").unwrap().inputs());
    }

    #[test]
    fn every_recipe_reads() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes")).unwrap().count();
        assert_eq!(recipes().len(), folders);
    }

    #[test]
    fn unknown_names_and_path_tricks_are_told_what_exists() {
        for name in ["nope", "", "..", "debian-desktop/../debian-desktop", "/etc", "debian-desktop/files"] {
            let error = recipe(name).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("debian-desktop") || error.contains("recipe.toml is missing"), "{name}: {error}");
        }
    }

    #[test]
    fn overlay_belongs_to_root_and_scripts_are_executable() {
        let recipe = recipe("debian-desktop").unwrap();
        let bytes = recipe.tar(&[("files", ""), ("hooks", "oriel-build/")]).unwrap();
        let mut seen = 0;
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            assert_eq!(entry.header().uid().unwrap(), 0);
            let mode = entry.header().mode().unwrap();
            match path.trim_start_matches("./") {
                "etc/xrdp/startwm.sh" | "usr/local/lib/oriel/grow-root" => assert_eq!(mode, 0o755),
                "etc/xrdp/xrdp.ini" | "oriel-build/10-system.sh" => assert_eq!(mode, 0o644),
                _ => continue,
            }
            seen += 1;
        }
        assert_eq!(seen, 4);
    }
}
