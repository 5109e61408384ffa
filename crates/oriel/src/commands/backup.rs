//! `oriel backup` and `oriel restore`: what would be lost with the machine, in one file, and back.

use crate::{
    archive::{Archive, private},
    cli::Global,
    config::Config,
    failure::{Done, Failure, USAGE},
    lock::DataFolder,
    output::{self, say},
};
use clap::Args;
use futures::StreamExt as _;
use oriel_store::{DUMP_LINE_BYTES_MAX, Store, StoreError};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The key that seals secrets.
const KEY: &str = "seal.key";
/// What is kept of the data folder, where it is there.
const FILES: [&str; 4] = [KEY, "oriel.toml", "tls/certificate.pem", "tls/key.pem"];
const DATABASE: &str = "database";
const KEPT: &str = "files";

#[derive(Args)]
pub struct Backup {
    /// File to write: a gzipped tar
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave out the key that seals secrets: keep it elsewhere, and a stolen backup reveals none
    #[arg(long)]
    without_key: bool,
}

#[derive(Args)]
pub struct Restore {
    /// What `oriel backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only say what is in it and whether it is whole
    #[arg(long)]
    check: bool,
}

impl Backup {
    /// Reads the database as it is at one moment; a server may go on running, and an older one too: nothing is changed.
    pub async fn run(self, global: &Global) -> Done {
        let config = global.config(None)?;
        let data = config.data();
        let database = config.get("database");
        if !database.contains("://") && !Path::new(database).exists() {
            return Err(Failure::new(format!("there is no database {database}"))
                .next("name the folder of a server that has run with --data DIR")
                .code(USAGE));
        }
        let store = Store::open_unchanged(database).await.map_err(|error| cannot("open the database", &error))?;
        let failed = |error: StoreError| cannot("read the database", &error);
        let writing = |error: std::io::Error| cannot("write the backup", &error);
        let dump = store.dump().await.map_err(failed)?;
        let mut archive = Archive::new(&self.file, dump.schema().to_vec())?;
        for table in dump.tables() {
            let name = format!("{DATABASE}/{table}.jsonl");
            let mut out = std::io::BufWriter::new(private(&archive.path(&name)).map_err(writing)?);
            let mut rows = 0;
            let mut lines = Box::pin(dump.lines(table).await.map_err(failed)?);
            while let Some(line) = lines.next().await {
                writeln!(out, "{}", line.map_err(failed)?).map_err(writing)?;
                rows += 1;
            }
            out.flush().map_err(writing)?;
            archive.add(&name, Some(rows)).map_err(writing)?;
        }
        let mut has_key = false;
        for file in FILES {
            let from = match file {
                "oriel.toml" => config.file().unwrap_or_else(|| data.join(file)),
                _ => data.join(file),
            };
            if (file == KEY && self.without_key) || !from.exists() {
                continue;
            }
            has_key |= file == KEY;
            let name = format!("{KEPT}/{file}");
            let copy = || -> std::io::Result<()> {
                let mut out = private(&archive.path(&name))?;
                std::io::copy(&mut fs::File::open(&from)?, &mut out).map(drop)
            };
            copy().map_err(|error| cannot(&format!("copy {}", from.display()), &error))?;
            archive.add(&name, None).map_err(writing)?;
        }
        let bytes = archive.write(&self.file).map_err(writing)?;
        say(summary(&archive));
        say(if has_key {
            "the key that seals secrets is in it: whoever has this file has every secret"
        } else {
            "the key that seals secrets is NOT in it: without that key no secret comes back"
        });
        say(format!(
            "not in it: disks of desktops, images ({}), recordings ({})",
            config.get("images"),
            config.get("recordings")
        ));
        output::print(&format!("{}: {}", self.file.display(), output::bytes(bytes)))
    }
}

impl Restore {
    pub async fn run(self, global: &Global) -> Done {
        if self.check {
            let archive = Archive::read(&self.file, &std::env::temp_dir().join("oriel"))?;
            say(summary(&archive));
            return output::print(&format!("{} is whole", self.file.display()));
        }
        let folder = DataFolder::take(&global.config(None)?.data())?;
        let archive = Archive::read(&self.file, &folder.file("restore"))?;
        if let Some(there) = FILES.iter().chain(&["oriel.db"]).find(|file| folder.file(file).exists()) {
            return Err(Failure::new(format!(
                "{} is there already: a backup goes into an empty data folder",
                folder.file(there).display()
            ))
            .next("name an empty one with --data DIR, or move what is there away"));
        }
        let mut placed = Vec::new();
        let done = Self::place(global, &folder, &archive, &mut placed).await;
        if done.is_err() {
            for file in placed {
                fs::remove_file(file).ok();
            }
        }
        done
    }

    /// Puts everything back. Whatever it makes is in `placed`, so that nothing is left when something fails.
    async fn place(global: &Global, folder: &DataFolder, archive: &Archive, placed: &mut Vec<PathBuf>) -> Done {
        let mut has_key = false;
        for (name, member) in archive.below(KEPT) {
            // What a hand-made archive calls its files is not where they go.
            if !FILES.contains(&name) {
                return Err(Failure::new(format!("{name:?} in the backup is no file of Oriel's")));
            }
            has_key |= name == KEY;
            let to = folder.file(name);
            placed.push(to.clone());
            let copy = || -> std::io::Result<()> {
                let mut out = private(&to)?;
                std::io::copy(&mut fs::File::open(archive.path(&member.name))?, &mut out)?;
                out.sync_all()
            };
            copy().map_err(|error| cannot(&format!("write {}", to.display()), &error))?;
        }
        let config: Config = global.config(None)?;
        let database = config.get("database");
        if !database.contains("://") && !Path::new(database).exists() {
            placed.extend(["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{database}{end}"))));
        }
        let mut tables = Vec::new();
        for (name, member) in archive.below(DATABASE) {
            let lines =
                archive.lines(&member.name, DUMP_LINE_BYTES_MAX).map_err(|error| cannot("read the backup", &error))?;
            tables.push((name.trim_end_matches(".jsonl").to_owned(), lines));
        }
        let store = Store::restore(database, &archive.manifest.schema, tables).await.map_err(|error| {
            let next = match &error {
                StoreError::NotEmpty => "set ORIEL_DATABASE to an empty one",
                StoreError::NewerSchema { .. } => "restore it with the version of Oriel that wrote it, or a newer one",
                _ => "look at `database` in `oriel config show`, or set ORIEL_DATABASE to another one",
            };
            cannot("fill the database", &error).next(next)
        })?;
        store.close().await.map_err(|error| cannot("close the database", &error))?;
        say(summary(archive));
        if !has_key {
            say(format!(
                "the backup has no key: put seal.key into {} before you start the server",
                folder.path.display()
            ));
        }
        output::print(&format!(
            "restored into {}; start it: oriel serve --data {}",
            folder.path.display(),
            folder.path.display()
        ))
    }
}

fn cannot(what: &str, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::because(format!("cannot {what}"), error)
}

/// `oriel 0.1.0 at 2026-11-29T12:00:00Z: 3 users, 2 pools, 14 desktops, 5 recordings, 210 lines of audit`
fn summary(archive: &Archive) -> String {
    let rows = |table: &str| {
        let name = format!("{table}.jsonl");
        archive.below(DATABASE).find(|(one, _)| *one == name).and_then(|(_, member)| member.rows).unwrap_or(0)
    };
    let manifest = &archive.manifest;
    format!(
        "oriel {} at {}: {} users, {} pools, {} desktops, {} recordings, {} lines of audit",
        manifest.oriel,
        manifest.made,
        rows("users"),
        rows("pool"),
        rows("desktop"),
        rows("recording"),
        rows("audit")
    )
}
