//! The drive of a desktop that is shown as a device: a CD image goes to the desktop's host when it is connected.

use crate::{client::Client, client::segment, failure::Failure, output::say};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use oriel_device::{Fetched, Remote};
use oriel_server::api::{
    drive::{DesktopDrive, DesktopDriveChange},
    file::FileUpload,
};
use std::{
    io::SeekFrom,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

/// Most bytes that are sent at once: within the time that the server gives a piece, over slow lines too.
const PIECE_BYTES: u64 = 4 << 20;
/// How often in a row a piece may break off.
const TRIES_MAX: u32 = 5;
/// What is fetched from elsewhere and says nothing for so long is over.
const FETCH_STALL_MAX: Duration = Duration::from_mins(1);
/// How long it then waits.
const PAUSE: Duration = Duration::from_secs(1);

/// Begins to fetch an image from an address, as this machine reaches it.
async fn fetch(from: &Remote) -> Result<Fetched, Failure> {
    let cannot = |error: reqwest::Error| {
        let what = format!("cannot fetch from {}", from.url.host_str().unwrap_or_default());
        Failure::because(what, &error.without_url())
    };
    let http = reqwest::Client::builder()
        .connect_timeout(from.timeout)
        .read_timeout(FETCH_STALL_MAX)
        .redirect(reqwest::redirect::Policy::limited(5))
        .tls_danger_accept_invalid_certs(from.insecure)
        .build()
        .map_err(cannot)?;
    let answer = http.get(from.url.clone()).send().await.map_err(cannot)?.error_for_status().map_err(cannot)?;
    let size = answer.content_length().filter(|size| *size > 0);
    let size = size.ok_or_else(|| Failure::new("whoever has the image does not say how large it is"))?;
    let name = answer.url().path_segments().and_then(|mut parts| parts.next_back()).map(str::to_owned);
    let body = answer.bytes_stream().map_err(std::io::Error::other).boxed();
    Ok(Fetched { name, size, body })
}

/// The same, where what went wrong is told in one line.
pub async fn fetched(from: &Remote) -> Result<Fetched, String> {
    // The innermost cause knows.
    fetch(from).await.map_err(|mut failure| match failure.why.pop() {
        Some(why) => format!("{}: {why}", failure.what),
        None => failure.what,
    })
}

/// What becomes of the other images that lie on the desktop's host.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They may be somebody's only copies.
    Stay,
    /// They make room: the folder that is served has its own.
    Go,
}

/// Puts an image into the desktop's drive, or takes out what is in it. `place`: the API's path of the drive.
pub async fn load(client: &Client, place: &str, file: Option<&Path>, others: Others) -> Result<(), Failure> {
    let image = match file {
        None => None,
        Some(file) => Some(send(client, place, file, others).await?),
    };
    client.post::<DesktopDrive>(place, &DesktopDriveChange { image }).await.map(drop)
}

/// Makes an image lie on the desktop's host as it lies here; answers what it is called there.
async fn send(client: &Client, place: &str, path: &Path, others: Others) -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::because(format!("cannot read {}", path.display()), &error);
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let name = name.ok_or_else(|| Failure::new(format!("{} is no image's name", path.display())))?;
    let mut file = File::open(path).await.map_err(cannot)?;
    let meta = file.metadata().await.map_err(cannot)?;
    let (size, changed) = (meta.len(), meta.modified().map_err(cannot)?);
    // Before anything is removed for it.
    if !meta.is_file() || size == 0 {
        return Err(Failure::new(format!("{} is no file, or is empty", path.display())).next("give an image"));
    }
    let changed = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let drive: DesktopDrive = client.get(place).await?;
    if drive.images.iter().any(|it| it.complete && it.name == name && it.bytes == size && it.changed >= changed) {
        return Ok(name);
    }
    if drive.image.as_ref().is_some_and(|inside| others == Others::Go || *inside == name) {
        client.post::<DesktopDrive>(place, &DesktopDriveChange { image: None }).await?;
    }
    for old in leaving(&drive, &name, others) {
        client.delete(&format!("{place}/image?name={}", segment(old))).await?;
    }
    say(format!("{name}: {} MiB go to the desktop's host", size >> 20));
    let (mut at, mut tries) = (0u64, 0);
    loop {
        match piece(client, place, &name, &mut file, at, size).await {
            Ok(FileUpload { complete: true, .. }) => break,
            Ok(taken) if taken.offset > at => (at, tries) = (taken.offset, 0),
            // Nothing of it was taken, and nobody said why.
            Ok(_) => return Err(Failure::new(format!("the server took {at} bytes of {name} and no more"))),
            Err(failure) if tries + 1 >= TRIES_MAX => return Err(failure),
            Err(failure) => {
                tries += 1;
                // What the server itself refuses it refuses again, unless it misses bytes.
                if failure.problem.as_deref().is_some_and(|problem| !GO_ON.contains(&problem)) {
                    return Err(failure);
                }
                tokio::time::sleep(PAUSE).await;
                let drive: DesktopDrive = client.get(place).await?;
                // The answer to the last piece was lost.
                if drive.images.iter().any(|it| it.complete && it.name == name && it.bytes == size) {
                    break;
                }
                let arrived = drive.images.iter().find(|image| !image.complete && image.name == name);
                at = arrived.map_or(0, |image| image.bytes);
            }
        }
    }
    say(format!("{name} is there"));
    Ok(name)
}

/// The images that go before one of this name is sent: another one of that name does in any case.
fn leaving<'a>(drive: &'a DesktopDrive, name: &str, others: Others) -> Vec<&'a str> {
    let names = drive.images.iter().map(|image| image.name.as_str());
    names.filter(|old| others == Others::Go || *old == name).collect()
}

/// Refusals after which an image goes on where its next byte is missing.
const GO_ON: [&str; 3] = ["bytes_missing", "image_on_its_way", "piece_too_slow"];

async fn piece(
    client: &Client,
    place: &str,
    name: &str,
    file: &mut File,
    at: u64,
    size: u64,
) -> Result<FileUpload, Failure> {
    let cannot = |error: std::io::Error| Failure::because(format!("cannot read {name}"), &error);
    file.seek(SeekFrom::Start(at)).await.map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(PIECE_BYTES.min(size.saturating_sub(at))).read_to_end(&mut bytes).await.map_err(cannot)?;
    if bytes.is_empty() {
        return Err(Failure::new(format!("{name} has become shorter, or is empty")));
    }
    let path = format!("{place}/image?name={}&offset={at}&size={size}", segment(name));
    client.put_bytes(&path, Bytes::from(bytes)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_server::api::drive::DesktopDriveImage;

    #[test]
    fn only_its_own_name_makes_room_where_others_stay() {
        let image = |name: &str| DesktopDriveImage { name: name.to_owned(), bytes: 1, changed: 0, complete: true };
        let images = vec![image("a.iso"), image("b.iso")];
        let drive = DesktopDrive { image: None, images, starts: false, bytes_max: 2, images_max: 2 };
        assert_eq!(leaving(&drive, "b.iso", Others::Stay), ["b.iso"]);
        assert!(leaving(&drive, "c.iso", Others::Stay).is_empty());
        assert_eq!(leaving(&drive, "c.iso", Others::Go), ["a.iso", "b.iso"]);
    }
}
