//! A real OpenLDAP on loopback, with its data in a temporary folder; ended by its own process id.

#![allow(dead_code, reason = "each test uses a part of it")]

use oriel_model::{DirectoryKind, DirectorySettings};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    io::Write as _,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub const SERVICE: &str = "cn=oriel,dc=lab";
pub const SERVICE_PASSWORD: &str = "looks people up";
const ROOT: &str = "cn=admin,dc=lab";
const ROOT_PASSWORD: &str = "may do all of it";
/// Everybody's password is their name with this behind it.
pub const PASSWORD: &str = " likes green lamps";

const PEOPLE: [(&str, &str); 6] = [
    ("ada", "ou=people,dc=lab"),
    ("bob", "ou=people,dc=lab"),
    ("eve", "ou=people,dc=lab"),
    ("o+neil_1", "ou=people,dc=lab"),
    ("twin", "ou=people,dc=lab"),
    ("twin", "ou=others,dc=lab"),
];

/// `None` where it is not installed: the test says so and is skipped, and `./test` installs it.
pub struct Slapd {
    child: Child,
    folder: tempfile::TempDir,
    pub plain: u16,
    pub tls: u16,
    pub ca: String,
    pub pin: String,
}

fn program(name: &str) -> Option<std::path::PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin"].iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn entries() -> String {
    let mut ldif = String::from(
        "dn: dc=lab\nobjectClass: dcObject\nobjectClass: organization\no: lab\ndc: lab\n\n\
         dn: ou=people,dc=lab\nobjectClass: organizationalUnit\nou: people\n\n\
         dn: ou=others,dc=lab\nobjectClass: organizationalUnit\nou: others\n\n\
         dn: ou=groups,dc=lab\nobjectClass: organizationalUnit\nou: groups\n\n",
    );
    write!(
        ldif,
        "dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: oriel\nuserPassword: {SERVICE_PASSWORD}\n\n"
    )
    .unwrap();
    for (uid, below) in PEOPLE {
        // A plus parts a name, so it is escaped in one.
        let dn = format!("uid={},{below}", uid.replace('+', "\\+"));
        write!(
            ldif,
            "dn: {dn}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nuserPassword: {uid}{PASSWORD}\n\n"
        )
        .unwrap();
    }
    let group = |name: &str, members: &[&str]| {
        let members = members.iter().fold(String::new(), |all, dn| all + "member: " + dn + "\n");
        format!("dn: cn={name},ou=groups,dc=lab\nobjectClass: groupOfNames\ncn: {name}\n{members}\n")
    };
    ldif += &group("artists", &["uid=ada,ou=people,dc=lab", "uid=o\\+neil_1,ou=people,dc=lab"]);
    ldif += &group("staff", &["cn=artists,ou=groups,dc=lab", "uid=bob,ou=people,dc=lab"]);
    ldif += &group("everybody", &["cn=staff,ou=groups,dc=lab", "cn=round,ou=groups,dc=lab"]);
    // Groups may go in a ring.
    ldif += &group("round", &["cn=everybody,ou=groups,dc=lab"]);
    ldif += "dn: cn=night shift,ou=groups,dc=lab\nobjectClass: posixGroup\ncn: night shift\ngidNumber: 2000\nmemberUid: bob\n\n";
    ldif
}

impl Slapd {
    pub fn start() -> Option<Self> {
        let (Some(slapd), Some(slapadd)) = (program("slapd"), program("slapadd")) else {
            assert!(std::env::var_os("ORIEL_TEST_VM").is_none(), "slapd is not installed: tools/setup installs it");
            eprintln!("skipped: slapd is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&ca, &ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        std::fs::write(at("tls.pem"), certificate.pem()).unwrap();
        std::fs::write(at("tls.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(at("tls.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::create_dir(at("data")).unwrap();
        let schemas = ["core", "cosine", "nis", "inetorgperson"]
            .map(|name| format!("include /etc/ldap/schema/{name}.schema\n"))
            .concat();
        let configuration = format!(
            "{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload ppolicy\n\
             pidfile {}\nargsfile {}\nTLSCertificateFile {}\nTLSCertificateKeyFile {}\n\
             database mdb\nsuffix dc=lab\nrootdn {ROOT}\nrootpw \"{ROOT_PASSWORD}\"\ndirectory {}\n\
             overlay ppolicy\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact={SERVICE} read by users read by * none\n",
            at("pid"),
            at("args"),
            at("tls.pem"),
            at("tls.key"),
            at("data"),
        );
        std::fs::write(at("slapd.conf"), configuration).unwrap();
        std::fs::write(at("entries.ldif"), entries()).unwrap();
        let added = Command::new(slapadd).args(["-f", &at("slapd.conf"), "-l", &at("entries.ldif")]).output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let (plain, tls) = (free_port(), free_port());
        let mut child = Command::new(slapd)
            .args(["-f", &at("slapd.conf"), "-d", "0", "-h"])
            .arg(format!("ldap://127.0.0.1:{plain}/ ldaps://127.0.0.1:{tls}/"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", plain)).is_err() || TcpStream::connect(("127.0.0.1", tls)).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "slapd ended: run `slapd -d 1` by hand to see why");
            assert!(began.elapsed() < Duration::from_secs(20), "slapd does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let pin = Sha256::digest(certificate.der()).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        Some(Self { child, folder, plain, tls, ca: ca_certificate.pem(), pin })
    }

    /// With TLS from the beginning, its CA, and the service account.
    pub fn settings(&self) -> DirectorySettings {
        DirectorySettings {
            kind: DirectoryKind::Ldap,
            url: format!("ldaps://localhost:{}", self.tls),
            ca: Some(self.ca.clone()),
            bind_dn: Some(SERVICE.into()),
            base: "dc=lab".into(),
            ..DirectorySettings::default()
        }
    }

    pub fn service() -> SecretString {
        SERVICE_PASSWORD.into()
    }

    /// Changes entries as the directory's administrator.
    pub fn change(&self, ldif: &str) {
        let mut child = Command::new(program("ldapmodify").unwrap())
            .args([
                "-x",
                "-e",
                "relax",
                "-D",
                ROOT,
                "-w",
                ROOT_PASSWORD,
                "-H",
                &format!("ldap://127.0.0.1:{}", self.plain),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(ldif.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Locks somebody for good, as an administrator does by ppolicy.
    pub fn lock(&self, uid: &str) {
        self.change(&format!(
            "dn: uid={uid},ou=people,dc=lab\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
        ));
    }

    pub fn unlock(&self, uid: &str) {
        self.change(&format!("dn: uid={uid},ou=people,dc=lab\nchangetype: modify\ndelete: pwdAccountLockedTime\n"));
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn password(uid: &str) -> SecretString {
    format!("{uid}{PASSWORD}").into()
}
