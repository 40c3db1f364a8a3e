//! A real browser without a screen, driven by the `WebDriver` protocol.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{Client, Request, Response, scratch::Scratch, target, wait};

/// Chromium with one window, in the network namespace of the thread that started it. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// What it leaves behind goes with this.
    _folder: Scratch,
}

/// What the window is like.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

/// A browser starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

impl Browser {
    pub fn start() -> Self {
        let folder = Scratch::new();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed: .ci/need machine");
        let said = BufReader::new(driver.stdout.take().expect("its output is piped"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse()
                    .ok()
            })
            .expect("the driver says its port");
        let mut browser = Self {
            driver,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            session: String::new(),
            _folder: folder,
        };
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            // Root has no sandbox, and what is looked at comes from the test alone.
            "goog:chromeOptions": { "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"] },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.post("/session", &wanted);
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("/session/{id}");
        browser
    }

    /// Opens a page, and returns when it is loaded.
    pub fn open(&self, at: SocketAddr, path: &str) {
        self.command("/url", &json!({ "url": format!("http://{at}{path}") }));
    }

    /// Runs a script in the page, and gives what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns what `wanted` picks, and gives it.
    pub fn wait_for(&self, script: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::until(wait::PATIENCE, || {
            last = self.run(script);
            wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("still {last} of {script}\n{:?}", self.complaints()))
    }

    /// Presses keys one after the other, as `WebDriver` writes them: `\u{e004}` is the tabulator.
    pub fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let strokes: Vec<Value> = strokes.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.command("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Makes the window so large, in the light or in the dark.
    pub fn show_on(&self, screen: Screen) {
        let Screen {
            width,
            height,
            dark,
        } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    /// Keeps a picture of the whole page in the target folder, and says where.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let wanted = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.devtools("Page.captureScreenshot", &wanted);
        let bytes = base64(picture["data"].as_str().expect("a picture in base64"));
        let folder = target::folder().join("screenshots");
        fs::create_dir_all(&folder).expect("the target folder takes folders");
        let path = folder.join(name);
        fs::write(&path, bytes).expect("the target folder takes files");
        println!("screenshot: {}", path.display());
        path
    }

    /// What the browser has complained of so far: errors, warnings, and what the page's policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().into_iter().flatten();
        lines
            .map(|line| format!("{}: {}", line["level"], line["message"]))
            .collect()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let command = json!({ "cmd": command, "params": parameters });
        self.command("/goog/cdp/execute", &command)
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.post(&format!("{}{path}", self.session), body)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::new("POST", path)
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = self.client().send(&request);
        value(path, &response)
    }

    fn client(&self) -> Client {
        Client::of(self.address).patient_for(PATIENCE)
    }
}

fn value(path: &str, response: &Response) -> Value {
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    let mut answer: Value = serde_json::from_str(&response.body).expect("the driver speaks JSON");
    answer["value"].take()
}

/// The driver writes no line ends into it.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group
            .iter()
            .filter_map(digit)
            .fold(0, |bits, digit| bits << 6 | digit);
        let whole = bits << (6 * (4 - group.len()));
        let all =
            [whole >> 16, whole >> 8, whole].map(|byte| u8::try_from(byte & 0xff).unwrap_or(0));
        bytes.extend(&all[..group.len() - 1]);
    }
    bytes
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The session ends the browser and removes its folder; without one there is only the driver.
        let _ = self
            .client()
            .try_send(&Request::new("DELETE", &self.session));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
