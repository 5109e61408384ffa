//! Builds a recipe into the cache without a running Oriel: `build-image RECIPE IMAGES_FOLDER CACHE_FOLDER`.
//! The test runner uses it to build the image while everything else compiles.

use oriel_image::{ImageStore, Job};
use std::sync::Mutex;

struct Terminal(Mutex<String>);

#[async_trait::async_trait]
impl Job for Terminal {
    fn progress(&self, fraction: f64, step: &str) {
        let line = format!("{:3.0} % {step}", fraction * 100.0);
        if let Ok(mut last) = self.0.lock()
            && *last != line
        {
            eprintln!("{line}");
            *last = line;
        }
    }
    fn log(&self, line: &str) {
        if std::env::var_os("VERBOSE").is_some() {
            eprintln!("      {line}");
        }
    }
    async fn cancelled(&self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(recipe), Some(images), Some(cache)) = (args.next(), args.next(), args.next()) else {
        eprintln!("usage: build-image RECIPE IMAGES_FOLDER CACHE_FOLDER");
        return 2.into();
    };
    match ImageStore::new(images, cache).build(&recipe, &Terminal(Mutex::default())).await {
        Ok(built) => {
            println!(
                "{} {} {} packages {} bytes",
                built.sha256,
                built.path.display(),
                built.packages.len(),
                built.file_bytes
            );
            0.into()
        }
        Err(error) => {
            eprintln!("{error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because {error}");
                cause = error.source();
            }
            1.into()
        }
    }
}
