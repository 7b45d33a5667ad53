import Foundation
import HTTP1
import Protobuf
import TestKit

/// chromedriver and its browser windows, over WebDriver (W3C, HTTP and JSON).
final class WebDriver: Sendable {
    private let process: BackgroundProcess
    private let http: HTTPClient

    static let driver = "/usr/bin/chromedriver"
    static var isInstalled: Bool {
        [driver, "/usr/bin/chromium"].allSatisfy {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    /// Starts chromedriver and waits until it answers.
    init(folder: URL) async throws {
        let port = try LocalPort.find()
        process = try BackgroundProcess(
            Self.driver, ["--port=\(port)"], environment: ProcessInfo.processInfo.environment,
            logFile: folder.appendingPathComponent("chromedriver.log"), leadsGroup: true)
        http = HTTPClient(port: port, patience: .zero)
        let isReady = try await eventually { (try? await self.http.get("/status"))?.status == 200 }
        guard isReady else { throw ClientError("chromedriver does not start: \(process.log)") }
    }

    /// Ends the driver and every browser that it started.
    func stop() async { await process.stop() }

    /// A browser of its own: cookies and storage are not shared with other windows.
    func window(language: String = "id") async throws -> BrowserWindow {
        let answer = try await http.send(
            .post, "/session",
            body: Self.capabilities(language).encoded(), timeout: .seconds(180))
        guard let id = answer.json["value"]?["sessionId"]?.string else {
            throw ClientError("no browser: \(answer)")
        }
        return BrowserWindow(http: http, session: id)
    }

    private static func capabilities(_ language: String) -> JSONValue {
        let arguments: [JSONValue] = [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
            "--no-proxy-server", "--window-size=1280,1000", .string("--lang=\(language)"),
        ]
        let options: JSONValue = [
            "binary": "/usr/bin/chromium", "args": .array(arguments),
            "prefs": ["intl.accept_languages": .string(language)],
        ]
        return [
            "capabilities": [
                "alwaysMatch": ["browserName": "chrome", "goog:chromeOptions": options]
            ]
        ]
    }
}

/// One window; selectors are CSS.
struct BrowserWindow: Sendable {
    let http: HTTPClient
    let session: String

    func open(_ url: String) async throws {
        _ = try await command("url", ["url": .string(url)])
    }

    /// Sets the clock of the pages that are opened from now on: so many seconds ahead, or behind.
    func setClock(ahead seconds: Int) async throws {
        let source = """
            (() => {
              const Real = Date;
              const now = () => Real.now() + \(seconds) * 1000;
              globalThis.Date = class extends Real {
                constructor(...parts) { parts.length ? super(...parts) : super(now()); }
                static now() { return now(); }
              };
            })();
            """
        _ = try await command(
            "goog/cdp/execute",
            [
                "cmd": "Page.addScriptToEvaluateOnNewDocument",
                "params": ["source": .string(source)],
            ])
    }

    func close() async { _ = try? await http.send(.delete, "/session/\(session)") }

    /// Runs a function body in the page and returns its value.
    @discardableResult
    func run(_ script: String, _ arguments: JSONValue...) async throws -> JSONValue {
        try await command(
            "execute/sync", ["script": .string(script), "args": .array(arguments)])
    }

    /// Clicks as a person does: the element must be there, visible and not covered.
    func click(_ selector: String) async throws {
        try await untilItStays {
            try await wait(selector)
            // Away from the header that stays at the top.
            try await run(
                "document.querySelector(arguments[0])?.scrollIntoView({ block: 'center' })",
                .string(selector))
            _ = try await command("element/\(try await element(selector))/click", .object([]))
        }
    }

    /// Clicks what leads to another page; again while this one stays.
    func follow(_ selector: String) async throws {
        for _ in 0..<5 {
            try await click(selector)
            let isGone = try await eventually(within: .seconds(15)) {
                try await self.count(selector) == 0
            }
            if isGone { return }
        }
        throw ClientError("\(selector) leads nowhere: \(try await seen())")
    }

    func type(_ text: String, into selector: String) async throws {
        try await untilItStays {
            let id = try await element(selector)
            _ = try await command("element/\(id)/clear", .object([]))
            _ = try await command("element/\(id)/value", ["text": .string(text)])
        }
    }

    /// The page draws while we look: what was found may be another element the moment after, or
    /// lie below a message that goes away. Nothing has been done then.
    private func untilItStays(_ body: () async throws -> Void) async throws {
        let passing = [
            "stale element reference", "element click intercepted", "element not interactable",
            "no such element",
        ]
        let end = ContinuousClock.now + .seconds(30)
        while true {
            do {
                return try await body()
            } catch let error as ClientError
                where passing.contains(where: error.description.contains)
                && ContinuousClock.now < end
            {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// An attribute or property; nil when there is no such element.
    func attribute(_ name: String, of selector: String) async throws -> String? {
        try await run(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null",
            .string(selector), .string(name)
        ).string
    }

    func text(of selector: String) async throws -> String {
        try await run(
            "return document.querySelector(arguments[0])?.innerText ?? ''", .string(selector)
        ).string ?? ""
    }

    func count(_ selector: String) async throws -> Int {
        Int(
            try await run(
                "return document.querySelectorAll(arguments[0]).length", .string(selector)
            ).integer ?? 0)
    }

    /// Waits for a visible element.
    func wait(_ selector: String, within time: Duration = .seconds(60)) async throws {
        let isThere = try await eventually(within: time) {
            try await self.run(
                "const e = document.querySelector(arguments[0]);"
                    + " return !!e && e.getClientRects().length > 0", .string(selector)
            ).bool == true
        }
        guard isThere else {
            throw ClientError("\(selector) does not appear: \(try await seen())")
        }
    }

    /// Where the window is and what a person reads there, in one line for the end of a log.
    private func seen() async throws -> String {
        let page = try await run("return location.pathname + ': ' + document.body.innerText")
        return (page.string ?? "").split(whereSeparator: \.isNewline).joined(separator: " · ")
    }

    /// Waits until no such element is left.
    func waitGone(_ selector: String, within time: Duration = .seconds(60)) async throws {
        let isGone = try await eventually(within: time) { try await self.count(selector) == 0 }
        guard isGone else { throw ClientError("\(selector) stays: \(try await seen())") }
    }

    private func element(_ selector: String) async throws -> String {
        let value = try await command(
            "element", ["using": "css selector", "value": .string(selector)])
        guard let id = value["element-6066-11e4-a52e-4f735466cecf"]?.string else {
            throw ClientError("no element \(selector)")
        }
        return id
    }

    private func command(_ name: String, _ body: JSONValue) async throws -> JSONValue {
        let answer = try await http.send(
            .post, "/session/\(session)/\(name)", body: body.encoded(), timeout: .seconds(120))
        guard answer.status == 200, let value = answer.json["value"] else {
            throw ClientError("WebDriver \(name) \(body.text): \(answer)")
        }
        return value
    }
}
