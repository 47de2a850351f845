//! The real program as a process of its own, on a folder that outlives it, so that it can be
//! killed and started again.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use tokio::time::timeout;

use super::smtp::Dialogue;
use super::wait::DEADLINE;
use super::wait::wait_until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_schoolgate");

/// The strict listener.
pub(crate) const OFFICE: &str = "office";
/// The listener that mends line endings.
pub(crate) const COPIERS: &str = "copiers";

const CONFIG: &str = "\
school:
  name: Oakfield Primary School
  domains: [oakfield.example]
hostname: gate.oakfield.example
listeners:
  - name: office
    address: 127.0.0.1:0
    clients: [{ lan: { networks: [127.0.0.0/8] } }]
  - name: copiers
    address: 127.0.0.1:0
    line_endings: normalise
    clients: [{ lan: { networks: [127.0.0.0/8] } }]
next_hops:
  default: { host: 127.0.0.1, port: NEXT_HOP_PORT, tls: off }
disclaimer:
  text: This message is meant for its addressee only and may be confidential.
store: { folder: store }
keys: { folder: keys }
log: { format: json }
approvers:
  - { name: Ann Field, address: head@oakfield.example, role: headteacher }
  - { name: Cy Lane, address: dsl@oakfield.example, role: safeguarding_lead }
  - { name: Ed Hill, address: admin@oakfield.example, role: admin }
";

/// A gateway's folder, and its process while it runs.
pub(crate) struct Gateway {
    folder: TempDir,
    running: Option<Running>,
    log: Arc<Mutex<Vec<String>>>,
}

struct Running {
    child: Child,
    /// Names and ports of the listeners.
    ports: Vec<(String, u16)>,
}

/// How a command of the program ended.
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) complaint: String,
}

impl Gateway {
    /// A new gateway before `next_hop`, running; `more` is appended to its configuration.
    pub(crate) async fn start(next_hop: u16, more: &str) -> Self {
        Self::start_with(next_hop, more, |_folder| {}).await
    }

    /// The same, with more files put into the folder beforehand.
    pub(crate) async fn start_with(next_hop: u16, more: &str, put: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CONFIG.replace("NEXT_HOP_PORT", &next_hop.to_string()) + more;
        std::fs::write(folder.path().join("gate.yaml"), config).unwrap();
        put(folder.path());
        let mut gateway = Self { folder, running: None, log: Arc::default() };
        let keys = gateway.folder.path().join("keys");
        gateway.done(&["keys", "create", keys.to_str().unwrap()]).await;
        let roll = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/roll.csv");
        gateway.done(&["roll", "import", roll.to_str().unwrap(), "--config"]).await;
        gateway.restart().await;
        gateway
    }

    /// Runs the program on the same folder once more.
    pub(crate) async fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut child = Command::new(PROGRAM)
            .arg("run")
            .arg("--config")
            .arg(self.config())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut ports = Vec::new();
        while ports.len() < 2 {
            let line = timeout(DEADLINE, lines.next_line()).await.expect("the gateway is silent");
            let line = line.unwrap().unwrap_or_else(|| panic!("it ended: {:?}", self.log()));
            ports.extend(listening(&line));
            self.log.lock().unwrap().push(line);
        }
        let log = Arc::clone(&self.log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.lock().unwrap().push(line);
            }
        });
        self.running = Some(Running { child, ports });
    }

    /// Takes the process away without a warning.
    pub(crate) async fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().await.unwrap();
    }

    /// Asks the process to end, and sees that it does.
    pub(crate) async fn stop(&mut self) {
        let mut running = self.running.take().expect("it runs");
        let pid = i32::try_from(running.child.id().expect("it has not ended by itself")).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let ended = timeout(DEADLINE, running.child.wait()).await.expect("it does not stop");
        assert!(ended.unwrap().success(), "{:?}", self.log());
    }

    /// The port of a listener.
    pub(crate) fn port(&self, listener: &str) -> u16 {
        let running = self.running.as_ref().expect("it runs");
        running.ports.iter().find(|(name, _)| name == listener).expect("such a listener").1
    }

    /// A client's dialogue with the strict listener.
    pub(crate) async fn dialogue(&self) -> Dialogue {
        Dialogue::open(self.port(OFFICE)).await.unwrap()
    }

    /// Sends one message to the strict listener; returns the last reply.
    pub(crate) async fn send(&self, from: &str, to: &[&str], message: &[u8]) -> String {
        self.dialogue().await.send(from, to, message).await.unwrap()
    }

    /// Where the gateway's files lie.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn config(&self) -> PathBuf {
        self.folder().join("gate.yaml")
    }

    /// The lines of the log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line in the log that holds these words.
    pub(crate) async fn logged(&self, words: &str) {
        wait_until(words, || self.log().iter().any(|line| line.contains(words))).await;
    }

    /// Runs a command of the program; a `--config` at its end gets this gateway's.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        if arguments.last() == Some(&"--config") {
            command.arg(self.config());
        }
        let output = timeout(DEADLINE, command.output()).await.expect("it ends").unwrap();
        Ended {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            complaint: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same for a command that must do what it is asked.
    pub(crate) async fn done(&self, arguments: &[&str]) -> String {
        let ended = self.command(arguments).await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.complaint);
        ended.out
    }

    /// What `held list` tells of each open hold.
    pub(crate) async fn held(&self) -> Vec<Value> {
        let out = self.done(&["held", "list", "--json", "--config"]).await;
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a decision or a look at a hold on behalf of an approver.
    pub(crate) async fn hold(&self, verb: &[&str], id: &str, approver: &str) -> Ended {
        let for_approver = ["--for", approver, "--reason", "the test asks", "--config"];
        let arguments = [&["held"], verb, &[id], &for_approver].concat();
        self.command(&arguments).await
    }
}

/// Name and port where the line tells of a listener.
fn listening(line: &str) -> Option<(String, u16)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let listener = line.get("listener")?.as_str()?;
    let address = line.get("address")?.as_str()?;
    (line.get("message")? == "listening")
        .then(|| Some((listener.to_owned(), address.rsplit(':').next()?.parse().ok()?)))?
}
