import Environment
import Glibc
import Synchronization
import Telemetry
import Testing

@Suite struct LoggerTests {
    private let capture = LogCapture()
    private let clock = Clock.fixed(Instant(microseconds: 1_764_669_600_250_000))

    private func logger(level: Logger.Level = .info) -> Logger {
        Logger(label: "booking", level: level, sink: capture.sink, clock: clock)
    }

    private static let prefix =
        #"{"time":"2025-12-02T10:00:00.250Z","level":"info","label":"booking","message":"#

    @Test("D-24: one JSON object per line with the fields in order")
    func line() {
        logger().info(
            "made", ["id": "b1", "seats": 3, "ms": 1.5, "late": false, "note": "n=\(2)"])
        #expect(
            capture.lines == [
                Self.prefix + #""made","id":"b1","seats":3,"ms":1.5,"late":false,"note":"n=2"}"#
            ])
    }

    @Test(
        "RFC 8259: strings are escaped, so that a value cannot forge a line",
        arguments: [
            (#"a"b\c"#, #""a\"b\\c""#),
            ("a\nb\r\tc", #""a\nb\r\tc""#),
            ("\u{0}\u{1F}\u{7F}\u{1B}[31m", #""\u0000\u001f\u007f\u001b[31m""#),
            ("é😀\u{2028}", "\"é😀\u{2028}\""),
            ("", #""""#),
        ])
    func escapes(text: String, json: String) {
        logger().info(text, ["k": .string(text)])
        #expect(capture.lines == [Self.prefix + json + #","k":"# + json + "}"])
    }

    @Test("names are escaped and never replace the members of every line")
    func names() {
        logger().info("m", ["level": "x", "message": "y", "a\"b": 1])
        #expect(capture.lines == [Self.prefix + #""m","level_":"x","message_":"y","a\"b":1}"#])
    }

    @Test("numbers that JSON cannot say become strings")
    func numbers() {
        logger().info(
            "m",
            [
                "nan": .double(.nan), "inf": .double(-.infinity), "big": LogValue(UInt64.max),
                "ms": LogValue(Duration.microseconds(1500)),
            ])
        #expect(
            capture.lines == [
                Self.prefix + #""m","nan":"nan","inf":"-inf","big":9223372036854775807,"ms":1.5}"#
            ])
    }

    @Test("levels below the logger's are dropped without building the message")
    func levels() {
        let logger = logger(level: .warning)
        func unexpected() -> String {
            Issue.record("a dropped line was built")
            return ""
        }
        logger.debug(unexpected())
        logger.info(unexpected(), ["x": .string(unexpected())])
        logger.warning("w")
        logger.error("e")
        #expect(capture.lines.count == 2)
        #expect(capture.lines[0].contains(#""level":"warning""#))
        #expect(capture.lines[1].contains(#""level":"error""#))
    }

    @Test("with adds fields, and the line's own win")
    func with() {
        let narrowed = logger().with(["a": 1, "b": 2]).with(["b": 3])
        narrowed.labelled("booking").info("m", ["a": 9, "c": 4])
        #expect(capture.lines == [Self.prefix + #""m","a":9,"b":3,"c":4}"#])
    }

    @Test("a huge string is cut between characters")
    func limit() throws {
        logger().info(String(repeating: "é", count: 10_000))
        let line = try #require(capture.lines.first)
        #expect(line == Self.prefix + "\"" + String(repeating: "é", count: 4096) + "…\"}")
    }

    @Test("X-125: a secret shows itself nowhere")
    func redacted() {
        let secret = Redacted("hunter2")
        logger().info("key \(secret)", ["k": "\(secret)", "d": LogValue(describing: secret)])
        logger().info("\([secret]) \(String(reflecting: secret))")
        var dumped = ""
        dump(["key": secret], to: &dumped)
        #expect(capture.lines[0] == Self.prefix + #""key ***","k":"***","d":"***"}"#)
        #expect(!capture.contains("hunter2"))
        #expect(!dumped.contains("hunter2") && dumped.contains("***"))
        #expect(secret.secret == "hunter2")
    }

    @Test("lines of several threads do not mix in a pipe")
    func descriptor() throws {
        var ends: (Int32, Int32) = (0, 0)
        let result = withUnsafeMutableBytes(of: &ends) {
            pipe($0.baseAddress!.assumingMemoryBound(to: Int32.self))
        }
        try #require(result == 0)
        defer { close(ends.0) }
        let logger = Logger(label: "p", sink: .descriptor(ends.1), clock: clock)
        let text = String(repeating: "x", count: 100)
        onThreads(4) { _ in
            for _ in 0..<50 { logger.info(text) }
        }
        close(ends.1)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = read(ends.0, &chunk, chunk.count), count > 0 {
            bytes += chunk[..<count]
        }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 200)
        #expect(Set(lines).count == 1)
        #expect(lines.first?.hasSuffix("\(text)\"}") == true)
    }

    @Test("a log that cannot be written does not stop the work")
    func closedDescriptor() {
        Logger(label: "p", sink: .descriptor(-1)).error("lost")
    }
}
