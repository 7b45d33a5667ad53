import Booking
import Loop
import Testing

@testable import janji

@Suite struct CommandTests {
    static let good: [([String], Command)] = [
        ([], .help(topic: nil)), (["--help"], .help(topic: nil)), (["up"], .up),
        (["up", "--help"], .help(topic: "up")), (["help", "serve"], .help(topic: "serve")),
        (["serve", "booking"], .serve([.booking])),
        (["serve", "course", "schedule", "edge"], .serve([.schedule, .gateway])),
        (["migrate"], .migrate(isPlan: false)), (["migrate", "--plan"], .migrate(isPlan: true)),
        (["events", "--help"], .help(topic: "events")),
        (
            ["events", "list", "--body", "--topic", "booking.created", "--limit", "7"],
            .events(
                try! .init(["list", "--limit", "7", "--topic", "booking.created", "--body"]))
        ),
        (["events", "redrive", "a.b"], .events(.redrive(topic: "a.b", limit: 10_000))),
        (["events", "dlq", "a.b"], .events(.deadLetters(topic: "a.b"))),
        (["token", "booking"], .token(audience: "booking", admin: "operator")),
        (["token", "booking", "sari"], .token(audience: "booking", admin: "sari")),
    ]

    @Test(arguments: good) func `a command line is understood`(row: ([String], Command)) throws {
        #expect(try Command(row.0) == row.1)
    }

    static let bad: [([String], String)] = [
        (["dance"], "`dance` is not a command"), (["serve"], "name at least one role"),
        (["serve", "chef"], "`chef` is not a role"), (["up", "now"], "`now` is too much"),
        (["token"], "usage: janji token"), (["migrate", "--plan", "now"], "`now` is too much"),
        (["events"], "usage: janji events"), (["events", "eat"], "`eat` is none of"),
        (["events", "list", "--limit", "0"], "--limit is “0”"),
        (["events", "list", "--since", "today"], "--since is “today”"),
        (["events", "list", "--after", "x"], "--after is “x”"),
        (["events", "list", "--topic"], "--topic needs a value"),
        (["events", "list", "--schema", "identity"], "`identity` has no outbox"),
        (["events", "replay"], "say which events"), (["events", "dlq"], "name a topic"),
        (["events", "dlq", "a", "b"], "`b` is not understood"),
    ]

    @Test(arguments: bad) func `a wrong command line is answered with a sentence`(
        row: ([String], String)
    ) {
        let error = #expect(throws: ConfigurationError.self) { try Command(row.0) }
        #expect(error?.description.hasPrefix(row.1) == true)
    }
}

@Suite struct ConfigurationTests {
    @Test func `every variable is listed in the help with its default`() {
        let text = Help.text("serve")
        for setting in Setting.all {
            #expect(text.contains(setting.name))
            if let fallback = setting.fallback, !fallback.isEmpty {
                #expect(text.contains("[\(fallback)]"))
            }
        }
    }

    @Test func `an unknown variable with our prefix stops the start`() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration(environment: ["JANJI_PROT": "3000", "PATH": "/bin"])
        }
        #expect(error?.description.contains("JANJI_PROT is not a variable of Janji") == true)
    }

    static let malformed: [([String: String], String)] = [
        (["JANJI_PORT": "three"], "JANJI_PORT is “three”, not a number from 1 to 65535"),
        (["JANJI_PORT": "0"], "JANJI_PORT is “0”"), (["JANJI_PORT": "70000"], "JANJI_PORT"),
        (["JANJI_DEMO": "maybe"], "JANJI_DEMO is “maybe”, not on or off"),
        (["JANJI_LOG": "loud"], "JANJI_LOG is “loud”, not debug"),
        (["BOOKING_SERVICE_URL": "here"], "BOOKING_SERVICE_URL is “here”, not http://host:port"),
        (["ALLOWED_ORIGINS": "school.example"], "ALLOWED_ORIGINS holds “school.example”"),
    ]

    @Test(arguments: malformed) func `a malformed value is named in a sentence`(
        row: ([String: String], String)
    ) throws {
        let configuration = try Configuration(environment: row.0)
        let error = #expect(throws: ConfigurationError.self) {
            _ = try configuration.port(of: .gateway)
            _ = try configuration.flag(.demo)
            _ = try configuration.logLevel()
            _ = try configuration.address(of: .booking)
            _ = try configuration.origins()
        }
        #expect(error?.description.hasPrefix(row.1) == true)
    }

    @Test func `defaults hold when nothing is set, and empty counts as unset`() throws {
        let configuration = try Configuration(environment: ["JANJI_PORT": ""])
        #expect(try configuration.port(of: .gateway) == 3000)
        #expect(try configuration.port(of: .notification) == 3009)
        #expect(try configuration.address(of: .booking) == "127.0.0.1:3007")
        #expect(try configuration.flag(.demo))
        #expect(configuration.text(.databaseURL) == nil)
    }

    @Test func `B-24: WS_PORT names the port of notification`() throws {
        let configuration = try Configuration(environment: ["WS_PORT": "4009"])
        #expect(try configuration.port(of: .notification) == 4009)
    }

    static let captchas: [([String: String], String)] = [
        (["CAPTCHA_PROVIDER": "magic"], "CAPTCHA_PROVIDER is “magic”, none of none, turnstile"),
        (["CAPTCHA_PROVIDER": "turnstile", "CAPTCHA_SITE_KEY": "k"], "CAPTCHA_SECRET is needed"),
        (["CAPTCHA_PROVIDER": "hcaptcha", "CAPTCHA_SECRET": "s"], "CAPTCHA_SITE_KEY is needed"),
    ]

    @Test(arguments: captchas) func `X-12: half a captcha stops the start`(
        row: ([String: String], String)
    ) throws {
        let configuration = try Configuration(environment: row.0)
        let error = #expect(throws: ConfigurationError.self) {
            let captcha = try Captcha(configuration)
            _ = try captcha.verifier(on: EventLoop(name: "captcha-test"))
            _ = try captcha.widget()
        }
        #expect(error?.description.hasPrefix(row.1) == true)
    }

    @Test func `X-12: none is the default and needs no keys`() throws {
        let captcha = try Captcha(try Configuration(environment: [:]))
        #expect(try captcha.verifier(on: EventLoop(name: "captcha-test")) is NoCaptcha)
        #expect(try captcha.widget() == nil)
    }

    @Test func `a short service secret is refused`() {
        #expect(throws: ConfigurationError.self) { try Host.key("short") }
    }
}
