//! A recipe becomes a disk in three steps, each kept until the last one is done:
//!
//! ```text
//!  (nothing) ──mmdebstrap──▶ root.tar ──mkfs.ext4, boot sectors──▶ disk.raw ──qemu-img──▶ image.qcow2 ──▶ cache ──▶ store
//! ```
//!
//! A step writes to `NAME.part` and renames it when it is whole; what is there under its name is done. Nothing is mounted
//! on this host and no loop device is used. As root the build has process and mount namespaces of its own, so that
//! a cancel ends everything it started and no mount outlives it; an ordinary user builds with mmdebstrap's `unshare` mode
//! and fakeroot.

use crate::cache::{Cache, Manifest};
use crate::command::Command;
use crate::file::{need_room, sha256};
use crate::job::Span;
use crate::recipe::SOURCE_DATE_EPOCH;
use crate::{Built, ImageError, ImageStore, Job, Recipe, apt, disk, progress};
use std::path::{Path, PathBuf};

/// Room that a build takes at its worst, in bytes: the tree twice (packed and unpacked) and the disk.
const WORK_BYTES: u64 = 7 << 30;
/// Where a recipe's hooks stand inside the new system while they run.
const HOOKS: &str = "oriel-build";
/// The package list inside the new system.
const PACKAGES: &str = "usr/local/share/oriel/packages";
const PACKAGES_MAX: usize = 20_000;

/// Where on the way (0.0–1.0) each step ends; measured on two cores.
const TAR_DONE: f64 = 0.78;
const DISK_DONE: f64 = 0.87;
const QCOW2_DONE: f64 = 0.97;

pub(crate) async fn build(store: &ImageStore, recipe: &Recipe, job: &dyn Job) -> Result<Built, ImageError> {
    let inputs = recipe.inputs();
    let cache = Cache::new(store.cache(), &inputs);
    job.progress(0.0, "looking into the cache");
    let lock = cache.lock(job).await?;
    if let Some(built) = cache.take(store, recipe, job).await? {
        return Ok(built);
    }
    let build = Build { recipe, job, work: cache.work(), root: rustix::process::geteuid().is_root() };
    build.tools()?;
    std::fs::create_dir_all(&build.work).map_err(|error| ImageError::io("create", &build.work, error))?;
    off_thread(&build.work, tidy).await?;

    let sources = build.sources();
    let result = build.steps(&inputs, &sources).await;
    if matches!(result, Err(ImageError::Cancelled)) {
        // Every process is gone by now. Removing a half-made system takes its time, which nobody has to wait for; the lock
        // keeps the next build out until it is done, and a crash leaves it to that build's own start.
        let work = build.work;
        drop(tokio::task::spawn_blocking(move || {
            let _lock = lock;
            if let Err(error) = tidy(&work) {
                tracing::warn!(%error, "clearing up after a cancelled build");
            }
        }));
        return Err(ImageError::Cancelled);
    }
    off_thread(&build.work, tidy).await?;
    let (image, manifest) = result?;
    cache.keep(&image, &manifest)?;
    let _ = std::fs::remove_dir_all(&build.work); // a few files by now
    drop(lock);
    cache.drop_older(&recipe.name, job);
    match cache.take(store, recipe, &Late(job)).await? {
        Some(built) => {
            job.progress(1.0, "done");
            Ok(built)
        }
        None => Err(ImageError::NoImage { sha256: manifest.sha256, folder: store.cache().to_path_buf() }),
    }
}

/// Taking the finished image from the cache is no new start for those who watch.
struct Late<'a>(&'a dyn Job);

#[async_trait::async_trait]
impl Job for Late<'_> {
    fn progress(&self, fraction: f64, step: &str) {
        self.0.progress(0.985 + 0.015 * fraction, step);
    }
    fn log(&self, _line: &str) {}
    async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}

struct Build<'a> {
    recipe: &'a Recipe,
    job: &'a dyn Job,
    work: PathBuf,
    root: bool,
}

impl Build<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// Says before anything long what is missing.
    fn tools(&self) -> Result<(), ImageError> {
        let mut tools = vec![
            ("mmdebstrap", "mmdebstrap"),
            ("mkfs.ext4", "e2fsprogs"),
            ("qemu-img", "qemu-utils"),
            ("tar", "tar"),
            ("prlimit", "util-linux"),
        ];
        if self.root {
            tools.push(("unshare", "util-linux"));
        }
        for (program, package) in tools {
            if !installed(program) {
                return Err(ImageError::MissingTool { program: program.to_owned(), package });
            }
        }
        if !self.root {
            let needs = [("newuidmap", "the package `uidmap`"), ("fakeroot", "the package `fakeroot`")];
            for (program, needs) in needs {
                if !installed(program) {
                    return Err(ImageError::NotRoot { needs: needs.to_owned() });
                }
            }
            let user = rustix::process::getuid().as_raw();
            let allowed = std::fs::read_to_string("/etc/subuid").is_ok_and(|text| !text.trim().is_empty());
            if !allowed {
                return Err(ImageError::NotRoot {
                    needs: format!(
                        "a range of user ids for user {user} in /etc/subuid and /etc/subgid (see subuid(5))"
                    ),
                });
            }
        }
        Ok(())
    }

    fn sources(&self) -> Vec<String> {
        let root = Path::new("/");
        let (_, host_suite) = apt::release(root);
        let lines = apt::debian_lines(&apt::sources(root), &host_suite, &self.recipe.suite, &self.recipe.components);
        match lines.as_slice() {
            [] => self.job.log("this host has no Debian sources: using the build tool's own mirror"),
            lines => lines.iter().for_each(|line| self.job.log(line)),
        }
        lines
    }

    async fn steps(&self, inputs: &str, sources: &[String]) -> Result<(PathBuf, Manifest), ImageError> {
        let (tar, raw, qcow2) = (self.file("root.tar"), self.file("disk.raw"), self.file("image.qcow2"));
        let (packages, packages_text) = (self.file("packages"), "packages");
        if !qcow2.exists() {
            if raw.exists() {
                self.job.log("going on from the disk of an earlier run");
            } else {
                need_room(&self.work, "building the image", WORK_BYTES, 0)?;
                if tar.exists() && packages.exists() {
                    self.job.log("going on from the root file system of an earlier run");
                } else {
                    self.root_tar(sources, &tar, &packages).await?;
                }
                self.disk(&tar, &raw, inputs).await?;
            }
            let _ = std::fs::remove_file(&tar);
            self.qcow2(&raw, &qcow2).await?;
        }
        let _ = std::fs::remove_file(&raw);
        let list = std::fs::read_to_string(&packages)
            .map_err(|error| ImageError::io("read", &self.file(packages_text), error))?;
        let hash =
            sha256(&qcow2, Span { job: self.job, from: QCOW2_DONE, to: 0.985, step: "hashing the image" }).await?;
        let manifest = Manifest {
            recipe: self.recipe.name.clone(),
            inputs: inputs.to_owned(),
            sha256: hash,
            virtual_bytes: self.recipe.virtual_bytes,
            suite: self.recipe.suite.clone(),
            source_date_epoch: SOURCE_DATE_EPOCH,
            sources: sources.to_vec(),
            packages: list.lines().take(PACKAGES_MAX).map(str::to_owned).collect(),
        };
        Ok((qcow2, manifest))
    }

    /// Step 1: packages, files and hooks become one tar of the root file system.
    async fn root_tar(&self, sources: &[String], tar: &Path, packages: &Path) -> Result<(), ImageError> {
        let (early, files) = (self.file("early.tar"), self.file("files.tar"));
        let write = |path: &Path, sets: &[(&str, &str)]| -> Result<(), ImageError> {
            let bytes = self.recipe.tar(sets).map_err(|error| ImageError::io("write", path, error))?;
            std::fs::write(path, bytes).map_err(|error| ImageError::io("write", path, error))
        };
        write(&early, &[("early", "")])?;
        let hooks = format!("{HOOKS}/");
        write(&files, &[("files", ""), ("hooks", &hooks)])?;
        let tmp = self.file("tmp");
        std::fs::create_dir_all(&tmp).map_err(|error| ImageError::io("create", &tmp, error))?;

        let part = self.file("root.tar.part");
        let recipe = self.recipe;
        let mut args = vec![
            format!("--mode={}", if self.root { "root" } else { "unshare" }),
            "--variant=apt".to_owned(),
            "--format=tar".to_owned(),
            "--verbose".to_owned(),
            format!("--architectures={}", recipe.architecture),
            format!("--components={}", recipe.components.join(",")),
            format!("--include={}", recipe.packages.join(",")),
            "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
            "--aptopt=Acquire::Languages \"none\"".to_owned(),
            "--aptopt=Acquire::Retries \"3\"".to_owned(),
            "--dpkgopt=force-unsafe-io".to_owned(),
        ];
        args.extend(recipe.excludes.iter().map(|line| match line.strip_prefix('!') {
            Some(path) => format!("--dpkgopt=path-include={path}"),
            None => format!("--dpkgopt=path-exclude={line}"),
        }));
        if recipe.backports {
            // Whichever mirror was chosen has them too, under this name.
            let suite = &recipe.suite;
            args.push(format!(
                "--setup-hook=cat \"$1\"/etc/apt/sources.list \"$1\"/etc/apt/sources.list.d/*.list 2>/dev/null \
                 | sed -n 's/^\\(deb .*\\) {suite} main.*$/\\1 {suite}-backports main/p' | head -n 1 >\"$1\"/backports.list; \
                 mv \"$1\"/backports.list \"$1\"/etc/apt/sources.list.d/backports.list"
            ));
        }
        args.push(format!("--essential-hook=tar-in {} /", quote(&early)));
        args.push(format!("--customize-hook=tar-in {} /", quote(&files)));
        args.extend(recipe.hooks().iter().map(|hook| format!("--customize-hook=chroot \"$1\" sh -eu /{HOOKS}/{hook}")));
        args.push(format!("--customize-hook=chroot \"$1\" sh -euc 'dpkg-query -W -f \"\\${{Package}} \\${{Version}}\\n\" >/{PACKAGES}; rm -rf /{HOOKS}'"));
        args.push(recipe.suite.clone());
        args.push(part.display().to_string());
        args.extend(sources.iter().cloned());

        let mut command = Command::new("installing the packages", "mmdebstrap", "mmdebstrap")
            .args(&args)
            .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string());
        if self.root {
            // mmdebstrap's folder lies beside the result, and apt's pseudo-terminals leave the process group: only a process
            // namespace ends them all.
            command = command.env("TMPDIR", &tmp).under(
                "unshare",
                ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"],
            );
        }
        let mut state = progress::Packages::default();
        let span = Span { job: self.job, from: 0.0, to: TAR_DONE, step: "" };
        command
            .run(self.job, |line| {
                state.line(line);
                span.say(state.fraction(), &state.step());
                if !line.starts_with("Get:") && !line.starts_with("Selecting") && !line.starts_with("Preparing") {
                    self.job.log(line);
                }
            })
            .await?;

        let list = Command::new("reading the package list", "tar", "tar")
            .args(["-xOf"])
            .arg(&part)
            .arg(format!("./{PACKAGES}"));
        let (answer, status, words) = list.answer(self.job, std::time::Duration::from_mins(2)).await?;
        if !status.success() || answer.is_empty() {
            return Err(ImageError::Command {
                what: "reading the package list".to_owned(),
                status: status.to_string(),
                tail: words,
            });
        }
        std::fs::write(packages, answer).map_err(|error| ImageError::io("write", packages, error))?;
        std::fs::rename(&part, tar).map_err(|error| ImageError::io("write", tar, error))
    }

    /// Step 2: the tar becomes a disk with one partition that boots.
    async fn disk(&self, tar: &Path, raw: &Path, inputs: &str) -> Result<(), ImageError> {
        let tree = self.file("tree");
        std::fs::create_dir_all(&tree).map_err(|error| ImageError::io("create", &tree, error))?;
        let span = Span { job: self.job, from: TAR_DONE, to: DISK_DONE, step: "making the disk" };
        span.say(0.0, "unpacking the root file system");
        // Without root, fakeroot remembers from one command to the next whose each file is.
        let owners = self.file("owners.part");
        let fake = |command: Command, load: bool| {
            if self.root {
                return command;
            }
            let mut args = vec!["-s".to_owned(), owners.display().to_string()];
            if load {
                args.extend(["-i".to_owned(), owners.display().to_string()]);
            }
            args.push("--".to_owned());
            command.under("fakeroot", args)
        };
        let unpack = Command::new("unpacking the root file system", "tar", "tar")
            .args(["-xp", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f"])
            .arg(tar)
            .arg("-C")
            .arg(&tree);
        fake(unpack, false).run(self.job, |line| self.job.log(line)).await?;

        span.at(0.35);
        let part = self.file("disk.raw.part");
        let bytes = self.recipe.virtual_bytes;
        let sized = std::fs::File::create(&part).and_then(|file| file.set_len(bytes));
        sized.map_err(|error| ImageError::io("create", &part, error))?;
        let uuid = disk_uuid(inputs);
        let format = Command::new("making the file system", "mkfs.ext4", "e2fsprogs")
            .args(["-q", "-F", "-m", "1", "-J", "size=64", "-L", &self.recipe.label, "-U", &uuid])
            .args(["-E", &format!("offset={},lazy_itable_init=0,hash_seed={uuid}", disk::PARTITION_START), "-d"])
            .arg(&tree)
            .arg(&part)
            .arg(format!("{}k", (bytes - disk::PARTITION_START) / 1024))
            .env("E2FSPROGS_FAKE_TIME", SOURCE_DATE_EPOCH.to_string())
            .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_string());
        fake(format, true).run(self.job, |line| self.job.log(line)).await?;

        let grub = tree.join("boot/grub/i386-pc");
        let read = |name: &str| {
            std::fs::read(grub.join(name)).map_err(|error| ImageError::io("read", &grub.join(name), error))
        };
        let signature = uuid.as_bytes().first_chunk().copied().unwrap_or(*b"oril");
        disk::write_boot_sectors(&part, &read("boot.img")?, &read("core.img")?, bytes, signature)?;
        off_thread(&self.work, |work| {
            let tree = work.join("tree");
            std::fs::remove_dir_all(&tree).map_err(|error| ImageError::io("clear", &tree, error))
        })
        .await?;
        std::fs::rename(&part, raw).map_err(|error| ImageError::io("write", raw, error))
    }

    /// Step 3: compressed, which also drops what is empty.
    async fn qcow2(&self, raw: &Path, qcow2: &Path) -> Result<(), ImageError> {
        let part = self.file("image.qcow2.part");
        let span = Span { job: self.job, from: DISK_DONE, to: QCOW2_DONE, step: "compressing the disk" };
        span.at(0.0);
        let command = Command::new("compressing the disk", "qemu-img", "qemu-utils")
            .args(["convert", "-p", "-f", "raw", "-O", "qcow2", "-c", "-m", "4", "-o", "compression_type=zstd"])
            .arg(raw)
            .arg(&part);
        let line = |line: &str| {
            if let Some(fraction) = progress::qemu_img(line) {
                span.at(fraction);
            }
        };
        command.run(self.job, line).await?;
        std::fs::rename(&part, qcow2).map_err(|error| ImageError::io("write", qcow2, error))
    }
}

/// Removes what a broken step left. Refuses when something is mounted there that will not go.
fn tidy(work: &Path) -> Result<(), ImageError> {
    for name in ["tmp", "tree"] {
        let path = work.join(name);
        if !path.exists() {
            continue;
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let below =
            mounts.lines().filter_map(|line| line.split(' ').nth(4)).any(|mount| Path::new(mount).starts_with(&path));
        if below {
            let source = std::io::Error::other("something is still mounted below it; unmount it first");
            return Err(ImageError::io("clear", &path, source));
        }
        std::fs::remove_dir_all(&path).map_err(|error| ImageError::io("clear", &path, error))?;
    }
    if let Ok(entries) = std::fs::read_dir(work) {
        for path in
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "part"))
        {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

/// Long work on files, kept off the threads that answer everybody.
async fn off_thread(work: &Path, deed: fn(&Path) -> Result<(), ImageError>) -> Result<(), ImageError> {
    let path = work.to_path_buf();
    match tokio::task::spawn_blocking(move || deed(&path)).await {
        Ok(done) => done,
        Err(error) => Err(ImageError::io("clear", work, std::io::Error::other(error))),
    }
}

/// The file system's identity, the same for the same inputs, in the form of a version 4 UUID.
fn disk_uuid(inputs: &str) -> String {
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(inputs.as_bytes().chunks(2)) {
        *byte = std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or(0);
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Quoted for mmdebstrap's hooks, which are lines of shell.
fn quote(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

fn installed(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
        .any(|folder| Path::new(folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_input_one_uuid() {
        let uuid = disk_uuid(&"0f".repeat(32));
        assert_eq!(uuid, "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f");
        assert_eq!(disk_uuid("short").len(), 36);
    }

    #[test]
    fn quoting_for_hooks() {
        assert_eq!(quote(Path::new("/a b/c'd")), "'/a b/c'\\''d'");
    }
}
