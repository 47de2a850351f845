//! A Postfix of its own in a temporary folder, as the mail system that hands mail to the gateway.
//! Needs root, since Postfix's own daemons change their user.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Name, kind, private, seconds until it is woken, most processes, and program.
const SERVICES: &[[&str; 6]] = &[
    ["pickup", "unix", "n", "60", "1", "pickup"],
    ["cleanup", "unix", "n", "-", "0", "cleanup"],
    ["qmgr", "unix", "n", "300", "1", "qmgr"],
    ["rewrite", "unix", "-", "-", "-", "trivial-rewrite"],
    ["bounce", "unix", "-", "-", "0", "bounce"],
    ["defer", "unix", "-", "-", "0", "bounce"],
    ["trace", "unix", "-", "-", "0", "bounce"],
    ["proxymap", "unix", "-", "-", "-", "proxymap"],
    ["smtp", "unix", "-", "-", "-", "smtp"],
    ["error", "unix", "-", "-", "-", "error"],
    ["retry", "unix", "-", "-", "-", "error"],
    ["anvil", "unix", "-", "-", "1", "anvil"],
    ["scache", "unix", "-", "-", "1", "scache"],
    ["postlog", "unix-dgram", "n", "-", "1", "postlogd"],
];

/// A running Postfix; dropping it stops it.
pub(crate) struct Postfix {
    folder: TempDir,
}

impl Postfix {
    /// Starts it with the gateway's port as its only way out.
    pub(crate) fn start(gateway: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::set_permissions(root, PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["conf", "spool", "data"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let owned = Command::new("chown").arg("postfix").arg(root.join("data")).status();
        assert!(owned.unwrap().success(), "the tests of Postfix need root");
        std::fs::write(root.join("conf/main.cf"), main_cf(root, gateway)).unwrap();
        let line = |[name, kind, private, wake, most, program]: &[&str; 6]| {
            format!("{name} {kind} {private} - n {wake} {most} {program}\n")
        };
        let master: String = SERVICES.iter().map(line).collect();
        std::fs::write(root.join("conf/master.cf"), master).unwrap();
        let postfix = Self { folder };
        let started = postfix.command("postfix").arg("start").output().unwrap();
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        postfix
    }

    /// Gives it a message as a program on its machine does.
    pub(crate) fn submit(&self, from: &str, to: &[&str], message: &Path) {
        let message = std::fs::File::open(message).unwrap();
        let mut sendmail = Command::new("/usr/sbin/sendmail");
        sendmail.arg("-C").arg(self.folder.path().join("conf")).args(["-i", "-f", from]);
        let output = sendmail.arg("--").args(to).stdin(message).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(format!("/usr/sbin/{program}"));
        command.arg("-c").arg(self.folder.path().join("conf"));
        command
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = self.command("postfix").arg("stop").output();
        // It may be down already; a test that fails for another reason must say that one.
        drop(stopped);
    }
}

fn main_cf(root: &Path, gateway: u16) -> String {
    let root = root.display();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {root}/spool\n\
         data_directory = {root}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         shlib_directory = /usr/lib/postfix\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         myhostname = exchange.oakfield.example\n\
         mydestination =\n\
         alias_maps =\n\
         local_recipient_maps =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         relayhost = [127.0.0.1]:{gateway}\n\
         smtp_dns_support_level = disabled\n\
         smtp_host_lookup = native\n\
         smtp_tls_security_level = none\n\
         maillog_file_prefixes = /tmp\n\
         maillog_file = {root}/mail.log\n"
    )
}
