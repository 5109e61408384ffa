//! The files that a person and a machine share while a session lives: one flat folder in memory.
//!
//! The machine sees it as a drive, the viewer as a list. Names are the other side's words: no folder, no path, nothing that
//! a file system or a screen would take for more than a name.

/// Files in one session's folder.
pub const DRIVE_FILES_MAX: usize = 256;
/// Bytes of all of them together, those on their way from the viewer included.
pub const DRIVE_BYTES_MAX: u64 = 128 << 20;
/// Longest name, in bytes of UTF-8.
pub const DRIVE_NAME_BYTES_MAX: usize = 255;
/// Bytes of one piece on the wire, either way.
pub const DRIVE_PIECE_BYTES_MAX: usize = 64 << 10;
/// Files that come from a viewer at the same time.
pub const DRIVE_UPLOADS_MAX: usize = 8;

/// Why something cannot be done; the text is for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveError {
    #[error("the session's folder is full: it holds {DRIVE_FILES_MAX} files of {} MiB together; remove some", DRIVE_BYTES_MAX >> 20)]
    Full,
    #[error("this is no name for a file in the session's folder; use another")]
    Name,
    #[error("there is no such file in the session's folder any more")]
    Missing,
    #[error("there is another file of this name")]
    Exists,
    #[error("a piece of the file came out of its order; send it again")]
    Order,
}

/// One file.
#[derive(Debug)]
pub struct DriveFile {
    pub id: u32,
    pub name: String,
    bytes: Vec<u8>,
}

impl DriveFile {
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

#[derive(Debug)]
struct Upload {
    key: u32,
    name: String,
    size: u64,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub struct Drive {
    files: Vec<DriveFile>,
    uploads: Vec<Upload>,
    next: u32,
    version: u64,
}

/// A name as it may stand in the folder.
pub fn is_name(name: &str) -> bool {
    let forbidden = |c: char| {
        c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            // Letters that turn or hide others would make `exe` read as something else.
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    !name.is_empty()
        && name.len() <= DRIVE_NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && !name.ends_with([' ', '.'])
        && !name.contains(forbidden)
}

impl Drive {
    /// Changes with every change that a list shows.
    pub const fn version(&self) -> u64 {
        self.version
    }

    pub fn files(&self) -> &[DriveFile] {
        &self.files
    }

    /// Bytes that fit in still.
    pub fn room(&self) -> u64 {
        let files: u64 = self.files.iter().map(DriveFile::size).sum();
        let uploads: u64 = self.uploads.iter().map(|upload| upload.size).sum();
        DRIVE_BYTES_MAX.saturating_sub(files).saturating_sub(uploads)
    }

    pub fn file(&self, id: u32) -> Option<&DriveFile> {
        self.files.iter().find(|file| file.id == id)
    }

    /// Upper and lower case are the same, as machines that ask for it expect.
    pub fn find(&self, name: &str) -> Option<&DriveFile> {
        let name = name.to_lowercase();
        self.files.iter().find(|file| file.name.to_lowercase() == name)
    }

    pub fn create(&mut self, name: &str) -> Result<u32, DriveError> {
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        if self.find(name).is_some() {
            return Err(DriveError::Exists);
        }
        self.add(name.to_owned(), Vec::new())
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<u32, DriveError> {
        if self.files.len() >= DRIVE_FILES_MAX {
            return Err(DriveError::Full);
        }
        self.next = self.next.wrapping_add(1);
        self.version += 1;
        self.files.push(DriveFile { id: self.next, name, bytes });
        Ok(self.next)
    }

    /// At most `length` bytes from `offset` on; fewer at the end, none behind it.
    pub fn read(&self, id: u32, offset: u64, length: usize) -> Result<&[u8], DriveError> {
        let bytes = &self.file(id).ok_or(DriveError::Missing)?.bytes;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let to = from.saturating_add(length).min(bytes.len());
        Ok(bytes.get(from..to).unwrap_or_default())
    }

    pub fn write(&mut self, id: u32, offset: u64, piece: &[u8]) -> Result<(), DriveError> {
        let end = offset.checked_add(piece.len() as u64).ok_or(DriveError::Full)?;
        let now = self.file(id).ok_or(DriveError::Missing)?.size();
        if end > now {
            self.resize(id, end)?;
        }
        let file = self.files.iter_mut().find(|file| file.id == id).ok_or(DriveError::Missing)?;
        let place = file.bytes.get_mut(offset as usize..end as usize).ok_or(DriveError::Full)?;
        place.copy_from_slice(piece);
        self.version += 1;
        Ok(())
    }

    /// Cuts a file off, or fills it up with zeros.
    pub fn resize(&mut self, id: u32, size: u64) -> Result<(), DriveError> {
        let now = self.file(id).ok_or(DriveError::Missing)?.size();
        if size.saturating_sub(now) > self.room() {
            return Err(DriveError::Full);
        }
        let file = self.files.iter_mut().find(|file| file.id == id).ok_or(DriveError::Missing)?;
        file.bytes.resize(size as usize, 0);
        if size == 0 {
            file.bytes = Vec::new();
        }
        self.version += 1;
        Ok(())
    }

    pub fn remove(&mut self, id: u32) -> Result<(), DriveError> {
        let at = self.files.iter().position(|file| file.id == id).ok_or(DriveError::Missing)?;
        self.files.remove(at);
        self.version += 1;
        Ok(())
    }

    pub fn rename(&mut self, id: u32, name: &str, replace: bool) -> Result<(), DriveError> {
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        if let Some(other) = self.find(name).map(|file| file.id).filter(|other| *other != id) {
            if !replace {
                return Err(DriveError::Exists);
            }
            self.remove(other)?;
        }
        let file = self.files.iter_mut().find(|file| file.id == id).ok_or(DriveError::Missing)?;
        name.clone_into(&mut file.name);
        self.version += 1;
        Ok(())
    }

    /// A viewer begins to send a file. The machine sees it when it is complete. A key that is in use begins anew.
    pub fn begin(&mut self, key: u32, name: &str, size: u64) -> Result<(), DriveError> {
        self.uploads.retain(|upload| upload.key != key);
        if !is_name(name) {
            return Err(DriveError::Name);
        }
        let crowded = self.files.len() + self.uploads.len() >= DRIVE_FILES_MAX || self.uploads.len() >= DRIVE_UPLOADS_MAX;
        if crowded || size > self.room() {
            return Err(DriveError::Full);
        }
        self.uploads.push(Upload { key, name: name.to_owned(), size, bytes: Vec::new() });
        if size == 0 { self.piece(key, &[]).map(drop) } else { Ok(()) }
    }

    /// The next piece of it: how many bytes are there now.
    pub fn piece(&mut self, key: u32, piece: &[u8]) -> Result<u64, DriveError> {
        let at = self.uploads.iter().position(|upload| upload.key == key).ok_or(DriveError::Missing)?;
        let upload = self.uploads.get_mut(at).ok_or(DriveError::Missing)?;
        let have = (upload.bytes.len() + piece.len()) as u64;
        if have > upload.size {
            self.uploads.remove(at);
            return Err(DriveError::Order);
        }
        upload.bytes.extend_from_slice(piece);
        if have == upload.size {
            let Upload { name, bytes, .. } = self.uploads.remove(at);
            let name = self.free_name(&name);
            self.add(name, bytes)?;
        }
        Ok(have)
    }

    /// The viewer gives up on a file, or (`None`) is gone.
    pub fn give_up(&mut self, key: Option<u32>) {
        self.uploads.retain(|upload| key.is_some_and(|key| upload.key != key));
    }

    /// `name`, or `name (2)` and so on where that is taken.
    fn free_name(&self, name: &str) -> String {
        let (stem, end) = match name.rsplit_once('.') {
            Some((stem, end)) if !stem.is_empty() => (stem, format!(".{end}")),
            _ => (name, String::new()),
        };
        let mut free = name.to_owned();
        // One more than there are files is free.
        for number in 2..=DRIVE_FILES_MAX + 1 {
            if self.find(&free).is_none() {
                break;
            }
            free = format!("{stem} ({number}){end}");
        }
        free
    }
}
