//! `oriel gpu capture`: a host's GPU state in one file.

use super::Host;
use crate::{
    failure::{Done, Failure},
    output,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

#[derive(Args)]
pub struct Capture {
    /// File to write, for example `host.tar.gz`; `-` for stdout
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    host: Host,
}

impl Capture {
    pub fn run(self) -> Done {
        let sysfs = self.host.open()?;
        if sysfs.live() && !rustix::process::geteuid().is_root() {
            output::say(
                "note: without root the kernel log, who uses a card and parts of the firmware's state stay out of the capture",
            );
        }
        let bar = spinner();
        let mut progress = |step: &str| bar.set_message(step.to_owned());
        let options = super::options();
        if self.output == Path::new("-") {
            let written = oriel_gpu::capture::write(sysfs.as_ref(), &options, io::stdout().lock(), &mut progress);
            bar.finish_and_clear();
            return written.map(|_| ()).map_err(|error| super::failure(&error));
        }
        // Whole or not at all: what is half written keeps another name.
        let part = self.output.with_added_extension("part");
        let cannot = |error: &io::Error| Failure::because(format!("cannot write {}", self.output.display()), error);
        let mut file = BufWriter::new(File::create(&part).map_err(|error| cannot(&error))?);
        let written = oriel_gpu::capture::write(sysfs.as_ref(), &options, &mut file, &mut progress);
        bar.finish_and_clear();
        let finish = |file: BufWriter<File>| {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&part, &self.output)?;
            Ok(fs::metadata(&self.output)?.len())
        };
        let written = written.map_err(|error| {
            fs::remove_file(&part).ok();
            super::failure(&error)
        })?;
        file.flush().map_err(|error| cannot(&error))?;
        let size = finish(file).map_err(|error| cannot(&error))?;
        output::say(format!(
            "{}: {}, {}, {} files and names, output of {} commands",
            self.output.display(),
            match written.gpus {
                1 => "1 GPU".to_owned(),
                count => format!("{count} GPUs"),
            },
            output::bytes(size),
            written.entries,
            written.commands
        ));
        output::say(format!(
            "secrets, serial numbers and the host's name were taken out; `oriel gpu list --root {0}` reads it, `tar tzf {0}` shows what is in it",
            self.output.display()
        ));
        Ok(())
    }
}

fn spinner() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
