//! The session's folder as a drive of the machine (MS-RDPEFS, client side). The channel is IronRDP's; here the machine's
//! requests meet [`Drive`], which is memory: there is no file of this host that a request could reach.

use ironrdp_core::impl_as_any;
use ironrdp_pdu::PduResult;
use ironrdp_rdpdr::RdpdrBackend;
use ironrdp_rdpdr::pdu::RdpdrPdu;
use ironrdp_rdpdr::pdu::efs::{
    Boolean, Characteristics, ClientDriveLockControlResponse, ClientDriveQueryDirectoryResponse,
    ClientDriveQueryInformationResponse, ClientDriveQuerySecurityResponse, ClientDriveQueryVolumeInformationResponse,
    ClientDriveSetInformationResponse, ClientDriveSetSecurityResponse, CreateDisposition, CreateOptions,
    DeviceCloseResponse, DeviceControlRequest, DeviceControlResponse, DeviceCreateRequest, DeviceCreateResponse,
    DeviceFlushBuffersResponse, DeviceIoRequest, DeviceIoResponse, DeviceReadResponse, DeviceWriteResponse,
    FileAttributeTagInformation, FileAttributes, FileBasicInformation, FileBothDirectoryInformation,
    FileDirectoryInformation, FileFsAttributeInformation, FileFsDeviceInformation, FileFsFullSizeInformation,
    FileFsSizeInformation, FileFsVolumeInformation, FileFullDirectoryInformation, FileInformationClass,
    FileInformationClassLevel, FileNamesInformation, FileStandardInformation, FileSystemAttributes,
    FileSystemInformationClass, FileSystemInformationClassLevel, Information, NtStatus, ServerDeviceAnnounceResponse,
    ServerDriveIoRequest, ServerDriveQueryDirectoryRequest, ServerDriveSetInformationRequest,
};
use ironrdp_rdpdr::pdu::esc::{ReturnCode, ScardCall, ScardIoCtlCode};
use ironrdp_svc::SvcMessage;
use oriel_screen::{DRIVE_BYTES_MAX, DRIVE_FILES_MAX, DRIVE_NAME_BYTES_MAX, Drive, DriveError, DriveFile};
use std::collections::HashMap;

/// The drive's number among the devices, and its name there: at most seven letters are shown (2.2.3.1).
pub(crate) const DEVICE: u32 = 1;
pub(crate) const NAME: &str = "Oriel";
/// Files and folders that the machine has open.
const HANDLES_MAX: usize = 512;
/// Most bytes that one request reads.
const READ_BYTES_MAX: u32 = 1 << 20;
/// What sizes are told in.
const UNIT: u32 = 4096;
/// Seconds between the beginnings of the two calendars, and ticks of a second in that of Windows.
const EPOCH_SECONDS: i64 = 11_644_473_600;
const TICKS: i64 = 10_000_000;

#[derive(Debug)]
enum Handle {
    /// The folder, with what a search has still to tell.
    Folder(Option<Vec<u32>>),
    File { id: u32, doomed: bool },
}

#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) drive: Drive,
    handles: HashMap<u32, Handle>,
    next: u32,
}

impl_as_any!(Folder);

fn status(error: DriveError) -> NtStatus {
    match error {
        DriveError::Full => NtStatus::DISK_FULL,
        DriveError::Name => NtStatus::OBJECT_NAME_INVALID,
        DriveError::Missing => NtStatus::NO_SUCH_FILE,
        DriveError::Exists => NtStatus::OBJECT_NAME_COLLISION,
        DriveError::Order => NtStatus::INVALID_PARAMETER,
    }
}

fn ticks(seconds: u64) -> i64 {
    i64::try_from(seconds).ok().and_then(|at| at.checked_add(EPOCH_SECONDS)?.checked_mul(TICKS)).unwrap_or_default()
}

/// What is told of the folder (`None`) or a file.
struct Facts {
    size: i64,
    time: i64,
    attributes: FileAttributes,
}

fn facts(file: Option<&DriveFile>) -> Facts {
    file.map_or(Facts { size: 0, time: 0, attributes: FileAttributes::FILE_ATTRIBUTE_DIRECTORY }, |file| Facts {
        size: i64::try_from(file.size()).unwrap_or(i64::MAX),
        time: ticks(file.changed),
        attributes: FileAttributes::FILE_ATTRIBUTE_ARCHIVE,
    })
}

/// The name in a path of the machine: `None` is the folder itself. Folders below it there are none.
fn name(path: &str) -> Result<Option<&str>, NtStatus> {
    let path = path.trim_end_matches('\0').trim_matches('\\');
    if path.is_empty() {
        Ok(None)
    } else if path.contains(['\\', '/']) {
        Err(NtStatus::OBJECT_PATH_NOT_FOUND)
    } else {
        Ok(Some(path))
    }
}

/// Whether a name is what a search asks for: `*` is any letters, `?` one.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.to_lowercase().chars().collect(), name.to_lowercase().chars().collect());
    let (mut p, mut n, mut back) = (0, 0, None);
    while let Some(letter) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, n) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|left| *left == '*')
}

impl Folder {
    fn create(&mut self, request: &DeviceCreateRequest) -> Result<(u32, Information), NtStatus> {
        if self.handles.len() >= HANDLES_MAX {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        let options = &request.create_options;
        let directory = options.contains(CreateOptions::FILE_DIRECTORY_FILE);
        let mut information = Information::FILE_OPENED;
        let handle = match name(&request.path)? {
            None if options.contains(CreateOptions::FILE_NON_DIRECTORY_FILE) => {
                return Err(NtStatus::FILE_IS_A_DIRECTORY);
            }
            None => Handle::Folder(None),
            Some(name) => {
                let found = self.drive.find(name).map(|file| file.id);
                let id = match (found, request.create_disposition.clone()) {
                    (Some(_), _) if directory => return Err(NtStatus::NOT_A_DIRECTORY),
                    (None, CreateDisposition::FILE_OPEN | CreateDisposition::FILE_OVERWRITE) => {
                        return Err(NtStatus::NO_SUCH_FILE);
                    }
                    // The folder is flat.
                    (None, _) if directory => return Err(NtStatus::ACCESS_DENIED),
                    (Some(_), CreateDisposition::FILE_CREATE) => return Err(NtStatus::OBJECT_NAME_COLLISION),
                    (Some(id), CreateDisposition::FILE_OPEN | CreateDisposition::FILE_OPEN_IF) => id,
                    (Some(id), _) => {
                        self.drive.resize(id, 0).map_err(status)?;
                        information = Information::FILE_OVERWRITTEN;
                        id
                    }
                    (None, _) => {
                        information = Information::FILE_CREATED;
                        self.drive.create(name).map_err(status)?
                    }
                };
                Handle::File { id, doomed: options.contains(CreateOptions::FILE_DELETE_ON_CLOSE) }
            }
        };
        self.next = self.next.wrapping_add(1).max(1);
        // After four thousand million of them the first ones may still be open.
        while self.handles.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1).max(1);
        }
        self.handles.insert(self.next, handle);
        Ok((self.next, information))
    }

    fn close(&mut self, request: &DeviceIoRequest) -> NtStatus {
        match self.handles.remove(&request.file_id) {
            Some(Handle::File { id, doomed: true }) => {
                self.drive.remove(id).ok();
                NtStatus::SUCCESS
            }
            Some(_) => NtStatus::SUCCESS,
            None => NtStatus::INVALID_HANDLE,
        }
    }

    /// The file of a handle.
    fn file(&self, request: &DeviceIoRequest) -> Result<u32, NtStatus> {
        match self.handles.get(&request.file_id) {
            Some(Handle::File { id, .. }) => Ok(*id),
            Some(Handle::Folder(_)) => Err(NtStatus::FILE_IS_A_DIRECTORY),
            None => Err(NtStatus::INVALID_HANDLE),
        }
    }

    fn query(&self, request: &DeviceIoRequest, level: &FileInformationClassLevel) -> Result<FileInformationClass, NtStatus> {
        let (file, doomed) = match self.handles.get(&request.file_id).ok_or(NtStatus::INVALID_HANDLE)? {
            Handle::Folder(_) => (None, false),
            Handle::File { id, doomed } => (Some(self.drive.file(*id).ok_or(NtStatus::NO_SUCH_FILE)?), *doomed),
        };
        let Facts { size, time, attributes } = facts(file);
        let yes = |value| if value { Boolean::True } else { Boolean::False };
        Ok(match *level {
            FileInformationClassLevel::FILE_BASIC_INFORMATION => FileInformationClass::Basic(FileBasicInformation {
                creation_time: time,
                last_access_time: time,
                last_write_time: time,
                change_time: time,
                file_attributes: attributes,
            }),
            FileInformationClassLevel::FILE_STANDARD_INFORMATION => {
                FileInformationClass::Standard(FileStandardInformation {
                    allocation_size: size,
                    end_of_file: size,
                    number_of_links: 1,
                    delete_pending: yes(doomed),
                    directory: yes(file.is_none()),
                })
            }
            FileInformationClassLevel::FILE_ATTRIBUTE_TAG_INFORMATION => {
                FileInformationClass::AttributeTag(FileAttributeTagInformation { file_attributes: attributes, reparse_tag: 0 })
            }
            _ => return Err(NtStatus::NOT_SUPPORTED),
        })
    }

    fn set(&mut self, request: &ServerDriveSetInformationRequest) -> Result<(), NtStatus> {
        let id = self.file(&request.device_io_request)?;
        match &request.set_buffer {
            FileInformationClass::EndOfFile(end) => {
                self.drive.resize(id, u64::try_from(end.end_of_file).map_err(|_| NtStatus::INVALID_PARAMETER)?).map_err(status)
            }
            FileInformationClass::Disposition(wish) => {
                if let Some(Handle::File { doomed, .. }) = self.handles.get_mut(&request.device_io_request.file_id) {
                    *doomed = wish.delete_pending != 0;
                }
                Ok(())
            }
            FileInformationClass::Rename(wish) => {
                let new = name(&wish.file_name)?.ok_or(NtStatus::OBJECT_NAME_INVALID)?;
                self.drive.rename(id, new, wish.replace_if_exists == Boolean::True).map_err(status)
            }
            // Times and attributes are ours to tell; room is made when it is needed.
            FileInformationClass::Basic(_) | FileInformationClass::Allocation(_) => Ok(()),
            _ => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    /// The next file of a search.
    fn search(&mut self, request: &ServerDriveQueryDirectoryRequest) -> Result<FileInformationClass, NtStatus> {
        let Some(Handle::Folder(left)) = self.handles.get_mut(&request.device_io_request.file_id) else {
            return Err(NtStatus::INVALID_HANDLE);
        };
        if request.initial_query != 0 {
            let pattern = name(&request.path)?.unwrap_or("*");
            let found = self.drive.files().iter().filter(|file| matches(pattern, &file.name)).map(|file| file.id);
            *left = Some(found.collect::<Vec<_>>().into_iter().rev().collect());
            if left.as_ref().is_some_and(Vec::is_empty) {
                return Err(NtStatus::NO_SUCH_FILE);
            }
        }
        let left = left.as_mut().ok_or(NtStatus::NO_MORE_FILES)?;
        let file = loop {
            let id = left.pop().ok_or(NtStatus::NO_MORE_FILES)?;
            if let Some(file) = self.drive.file(id) {
                break file;
            }
        };
        let (Facts { size, time, attributes }, name) = (facts(Some(file)), file.name.clone());
        Ok(match request.file_info_class_lvl {
            FileInformationClassLevel::FILE_BOTH_DIRECTORY_INFORMATION => FileInformationClass::BothDirectory(
                FileBothDirectoryInformation::new(time, time, time, time, size, attributes, name),
            ),
            FileInformationClassLevel::FILE_FULL_DIRECTORY_INFORMATION => FileInformationClass::FullDirectory(
                FileFullDirectoryInformation::new(time, time, time, time, size, attributes, name),
            ),
            FileInformationClassLevel::FILE_DIRECTORY_INFORMATION => FileInformationClass::Directory(
                FileDirectoryInformation::new(time, time, time, time, size, attributes, name),
            ),
            FileInformationClassLevel::FILE_NAMES_INFORMATION => {
                FileInformationClass::Names(FileNamesInformation::new(name))
            }
            _ => return Err(NtStatus::NOT_SUPPORTED),
        })
    }

    fn volume(&self, level: &FileSystemInformationClassLevel) -> Option<FileSystemInformationClass> {
        let units = |bytes: u64| i64::try_from(bytes / u64::from(UNIT)).unwrap_or(i64::MAX);
        let (all, free) = (units(DRIVE_BYTES_MAX), units(self.drive.room()));
        Some(match *level {
            FileSystemInformationClassLevel::FILE_FS_VOLUME_INFORMATION => {
                FileSystemInformationClass::FileFsVolumeInformation(FileFsVolumeInformation {
                    volume_creation_time: 0,
                    volume_serial_number: 1,
                    supports_objects: Boolean::False,
                    volume_label: NAME.to_owned(),
                })
            }
            FileSystemInformationClassLevel::FILE_FS_SIZE_INFORMATION => {
                FileSystemInformationClass::FileFsSizeInformation(FileFsSizeInformation {
                    total_alloc_units: all,
                    available_alloc_units: free,
                    sectors_per_alloc_unit: 1,
                    bytes_per_sector: UNIT,
                })
            }
            FileSystemInformationClassLevel::FILE_FS_FULL_SIZE_INFORMATION => {
                FileSystemInformationClass::FileFsFullSizeInformation(FileFsFullSizeInformation {
                    total_alloc_units: all,
                    caller_available_alloc_units: free,
                    actual_available_alloc_units: free,
                    sectors_per_alloc_unit: 1,
                    bytes_per_sector: UNIT,
                })
            }
            FileSystemInformationClassLevel::FILE_FS_ATTRIBUTE_INFORMATION => {
                FileSystemInformationClass::FileFsAttributeInformation(FileFsAttributeInformation {
                    file_system_attributes: FileSystemAttributes::FILE_CASE_PRESERVED_NAMES
                        | FileSystemAttributes::FILE_UNICODE_ON_DISK,
                    max_component_name_len: DRIVE_NAME_BYTES_MAX as u32,
                    file_system_name: "FAT32".to_owned(),
                })
            }
            FileSystemInformationClassLevel::FILE_FS_DEVICE_INFORMATION => {
                FileSystemInformationClass::FileFsDeviceInformation(FileFsDeviceInformation {
                    // FILE_DEVICE_DISK
                    device_type: 7,
                    characteristics: Characteristics::FILE_REMOTE_DEVICE,
                })
            }
            _ => return None,
        })
    }
}

fn said(result: &Result<(), NtStatus>) -> NtStatus {
    match result {
        Ok(()) => NtStatus::SUCCESS,
        Err(why) => *why,
    }
}

impl RdpdrBackend for Folder {
    /// The machine begins anew, for another session on the same connection: what it had open is closed.
    fn reset(&mut self) -> PduResult<()> {
        self.handles.clear();
        Ok(())
    }

    fn handle_server_device_announce_response(&mut self, pdu: ServerDeviceAnnounceResponse) -> PduResult<()> {
        tracing::debug!(answer = ?pdu.result_code, "Machine has heard of the session's folder");
        Ok(())
    }

    fn handle_scard_call(&mut self, request: DeviceControlRequest<ScardIoCtlCode>, call: ScardCall) -> PduResult<Vec<SvcMessage>> {
        let answer = call.error_response(request, ReturnCode::NoService);
        Ok(vec![SvcMessage::from(RdpdrPdu::DeviceControlResponse(answer))])
    }

    fn handle_drive_io_request(&mut self, request: ServerDriveIoRequest) -> PduResult<Vec<SvcMessage>> {
        use ServerDriveIoRequest as R;
        let answer = match request {
            R::ServerCreateDriveRequest(request) => {
                let (status, file_id, information) = match self.create(&request) {
                    Ok((id, information)) => (NtStatus::SUCCESS, id, information),
                    Err(why) => (why, 0, Information::empty()),
                };
                RdpdrPdu::DeviceCreateResponse(DeviceCreateResponse {
                    device_io_reply: DeviceIoResponse::new(request.device_io_request, status),
                    file_id,
                    information,
                })
            }
            R::DeviceCloseRequest(request) => {
                let status = self.close(&request.device_io_request);
                RdpdrPdu::DeviceCloseResponse(DeviceCloseResponse {
                    device_io_response: DeviceIoResponse::new(request.device_io_request, status),
                })
            }
            R::ServerDriveQueryInformationRequest(request) => {
                let found = self.query(&request.device_io_request, &request.file_info_class_lvl);
                let status = found.as_ref().map_or_else(|why| *why, |_| NtStatus::SUCCESS);
                RdpdrPdu::ClientDriveQueryInformationResponse(ClientDriveQueryInformationResponse {
                    device_io_response: DeviceIoResponse::new(request.device_io_request, status),
                    buffer: found.ok(),
                })
            }
            R::ServerDriveSetInformationRequest(request) => {
                let status = said(&self.set(&request));
                let answer = ClientDriveSetInformationResponse::new(&request, status);
                RdpdrPdu::ClientDriveSetInformationResponse(answer.map_err(|error| ironrdp_pdu::encode_err!(error))?)
            }
            R::ServerDriveQueryDirectoryRequest(request) => {
                let found = self.search(&request);
                let status = found.as_ref().map_or_else(|why| *why, |_| NtStatus::SUCCESS);
                RdpdrPdu::ClientDriveQueryDirectoryResponse(ClientDriveQueryDirectoryResponse {
                    device_io_reply: DeviceIoResponse::new(request.device_io_request, status),
                    buffer: found.ok(),
                })
            }
            // Answered when something changes, which nobody who asks here waits for.
            R::ServerDriveNotifyChangeDirectoryRequest(_) => return Ok(Vec::new()),
            R::ServerDriveQueryVolumeInformationRequest(request) => {
                let found = self.volume(&request.fs_info_class_lvl);
                let status = if found.is_some() { NtStatus::SUCCESS } else { NtStatus::NOT_SUPPORTED };
                RdpdrPdu::ClientDriveQueryVolumeInformationResponse(ClientDriveQueryVolumeInformationResponse::new(
                    request.device_io_request,
                    status,
                    found,
                ))
            }
            R::DeviceControlRequest(request) => {
                RdpdrPdu::DeviceControlResponse(DeviceControlResponse::new(request, NtStatus::SUCCESS, None))
            }
            R::DeviceReadRequest(request) => {
                let length = request.length.min(READ_BYTES_MAX) as usize;
                let read = self.file(&request.device_io_request).and_then(|id| {
                    self.drive.read(id, request.offset, length).map(<[u8]>::to_vec).map_err(status)
                });
                let status = read.as_ref().map_or_else(|why| *why, |_| NtStatus::SUCCESS);
                RdpdrPdu::DeviceReadResponse(DeviceReadResponse {
                    device_io_reply: DeviceIoResponse::new(request.device_io_request, status),
                    read_data: read.unwrap_or_default(),
                })
            }
            R::DeviceWriteRequest(request) => {
                let written = self
                    .file(&request.device_io_request)
                    .and_then(|id| self.drive.write(id, request.offset, &request.write_data).map_err(status));
                let length = if written.is_ok() { request.write_data.len() as u32 } else { 0 };
                RdpdrPdu::DeviceWriteResponse(DeviceWriteResponse {
                    device_io_reply: DeviceIoResponse::new(request.device_io_request, said(&written)),
                    length,
                })
            }
            R::DeviceFlushBuffersRequest(request) => RdpdrPdu::DeviceFlushBuffersResponse(DeviceFlushBuffersResponse {
                device_io_response: DeviceIoResponse::new(request.device_io_request, NtStatus::SUCCESS),
            }),
            R::ServerDriveLockControlRequest(request) => RdpdrPdu::ClientDriveLockControlResponse(
                ClientDriveLockControlResponse::new(request.device_io_request, NtStatus::SUCCESS),
            ),
            R::ServerDriveQuerySecurityRequest(request) => {
                RdpdrPdu::ClientDriveQuerySecurityResponse(ClientDriveQuerySecurityResponse {
                    device_io_response: DeviceIoResponse::new(request.device_io_request, NtStatus::NOT_SUPPORTED),
                    security_descriptor: None,
                })
            }
            R::ServerDriveSetSecurityRequest(request) => {
                let answer = ClientDriveSetSecurityResponse::new(&request, NtStatus::NOT_SUPPORTED);
                RdpdrPdu::ClientDriveSetSecurityResponse(answer.map_err(|error| ironrdp_pdu::encode_err!(error))?)
            }
        };
        Ok(vec![SvcMessage::from(answer)])
    }
}

const _: () = assert!(DRIVE_FILES_MAX < HANDLES_MAX);
