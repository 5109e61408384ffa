//! The seed as a volume: an ISO 9660 image labelled `CIDATA`, with Rock Ridge for the lowercase names.

use hadris_iso::{
    joliet::JolietLevel,
    read::PathSeparator,
    write::{
        File as IsoFile, InputFiles, IsoImageWriter,
        options::{CreationFeatures, IsoFormatOptions},
    },
};
use oriel_compute::ComputeError;
use oriel_machine::SeedFile;
use secrecy::ExposeSecret;
use std::{
    io::{Cursor, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

/// A seed has a few kilobytes.
const SEED_BYTES_MAX: usize = 1 << 20;

/// Always anew, since it is cheap; readable only by us until libvirt hands it to QEMU.
pub(super) fn write(path: &Path, files: Vec<SeedFile>) -> Result<(), ComputeError> {
    let image = image(files)?;
    let part = path.with_extension("iso.part");
    let _ = std::fs::remove_file(&part);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .map_err(ComputeError::file("write", &part))?;
    file.write_all(&image).and_then(|()| file.sync_all()).map_err(ComputeError::file("write", &part))?;
    std::fs::rename(&part, path).map_err(ComputeError::file("rename", &part))
}

fn image(files: Vec<SeedFile>) -> Result<Vec<u8>, ComputeError> {
    let contents = files.into_iter().map(|file| IsoFile::File {
        name: Arc::new(file.name.to_owned()),
        contents: file.content.expose_secret().as_bytes().to_vec(),
    });
    let files = InputFiles { path_separator: PathSeparator::ForwardSlash, files: contents.collect() };
    let options = IsoFormatOptions {
        volume_name: String::from("CIDATA"),
        system_id: None,
        volume_set_id: None,
        publisher_id: None,
        preparer_id: None,
        application_id: None,
        sector_size: 2048,
        path_separator: PathSeparator::ForwardSlash,
        // Joliet too, for guests that are not Unix.
        features: CreationFeatures { joliet: Some(JolietLevel::Level3), ..CreationFeatures::rock_ridge() },
        strict_charset: false,
    };
    let mut image = Cursor::new(vec![0; SEED_BYTES_MAX]);
    IsoImageWriter::create(&mut image, files, options).map_err(|error| ComputeError::Seed(error.to_string()))?;
    Ok(image.into_inner())
}
