//! The zoo's builder: a readable description of a host becomes the host's files, and these a capture.
//!
//! `descriptions/NAME.toml` states what is particular about a host, each fact with its source; what every Linux host has in
//! common (how sysfs is laid out, how IOMMU groups come about) is here, once. The captures in `zoo/` are made by
//! `cargo run -p oriel-gpu --example build-zoo`.

#![allow(
    clippy::expect_used,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is wrong with a description ends the build of the zoo, here or in a test"
)]

mod boards;
mod description;
mod groups;
mod host;
mod nvidia;
mod pci;
mod slices;

pub use description::Description;

use oriel_gpu::{
    capture::{self, Manifest},
    sysfs::Tree,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names of all described hosts, sorted.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder("descriptions"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

pub fn describe(name: &str) -> Description {
    let file = folder("descriptions").join(format!("{name}.toml"));
    let mut description: Description = read(&file);
    for platform in std::mem::take(&mut description.platforms) {
        let platform: description::Platform = read(&folder("descriptions/platforms").join(format!("{platform}.toml")));
        description.pci.extend(platform.pci);
    }
    for pci in description.pci.iter().filter(|pci| pci.class.starts_with("03")) {
        assert!(pci.source.is_some(), "{name}: {} is a GPU and cites no source", pci.id);
    }
    description
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> T {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A host's files.
pub fn build(name: &str) -> Tree {
    let description = describe(name);
    let mut tree = Tree::new();
    host::add(&mut tree, &description);
    let machine = pci::Machine::of(&description);
    pci::add(&mut tree, &description, &machine);
    slices::add(&mut tree, &description, &machine);
    nvidia::add(&mut tree, &description, &machine);
    for (path, content) in &description.files {
        tree.file(path, content.as_str());
    }
    for (path, target) in &description.links {
        tree.link_to(path, target.as_str());
    }
    for (command, output) in &description.commands {
        let argv: Vec<&str> = command.split(' ').collect();
        match output.strip_prefix('@') {
            Some(list) => tree.prints(&argv, &fs::read_to_string(folder("descriptions/lists").join(list)).unwrap()),
            None => tree.prints(&argv, output),
        };
    }
    let manifest = Manifest {
        format: capture::FORMAT,
        made_by: format!("a description: {}", description.title),
        kernel: description.host.kernel,
        gpus: Vec::new(),
    };
    tree.file(capture::MANIFEST, serde_json::to_vec_pretty(&manifest).unwrap());
    tree
}
