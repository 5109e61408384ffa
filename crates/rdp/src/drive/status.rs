//! NTSTATUS values that answers have (MS-ERREF 2.3.1).

use super::DriveError;

pub(super) type Status = u32;

pub(super) const SUCCESS: Status = 0;
/// Of a wait for changes whose folder is closed: no error.
pub(super) const NOTIFY_CLEANUP: Status = 0x0000_010b;
pub(super) const NO_MORE_FILES: Status = 0x8000_0006;
pub(super) const UNSUCCESSFUL: Status = 0xc000_0001;
pub(super) const INVALID_HANDLE: Status = 0xc000_0008;
pub(super) const INVALID_PARAMETER: Status = 0xc000_000d;
pub(super) const NO_SUCH_DEVICE: Status = 0xc000_000e;
pub(super) const NO_SUCH_FILE: Status = 0xc000_000f;
pub(super) const OBJECT_NAME_INVALID: Status = 0xc000_0033;
pub(super) const OBJECT_NAME_COLLISION: Status = 0xc000_0035;
pub(super) const OBJECT_PATH_NOT_FOUND: Status = 0xc000_003a;
pub(super) const DELETE_PENDING: Status = 0xc000_0056;
pub(super) const DISK_FULL: Status = 0xc000_007f;
pub(super) const INSUFFICIENT_RESOURCES: Status = 0xc000_009a;
pub(super) const MEDIA_WRITE_PROTECTED: Status = 0xc000_00a2;
pub(super) const FILE_IS_A_DIRECTORY: Status = 0xc000_00ba;
pub(super) const NOT_SUPPORTED: Status = 0xc000_00bb;
pub(super) const DIRECTORY_NOT_EMPTY: Status = 0xc000_0101;
pub(super) const NOT_A_DIRECTORY: Status = 0xc000_0103;
pub(super) const TOO_MANY_OPENED_FILES: Status = 0xc000_011f;

impl From<DriveError> for Status {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Full => DISK_FULL,
            DriveError::Name => OBJECT_NAME_INVALID,
            DriveError::Missing => NO_SUCH_FILE,
            DriveError::Exists => OBJECT_NAME_COLLISION,
            DriveError::Folder => FILE_IS_A_DIRECTORY,
            DriveError::File => NOT_A_DIRECTORY,
            DriveError::NotEmpty => DIRECTORY_NOT_EMPTY,
            DriveError::PrintFolder => MEDIA_WRITE_PROTECTED,
            DriveError::Gap(_) => UNSUCCESSFUL,
        }
    }
}
