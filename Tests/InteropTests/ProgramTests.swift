import Foundation
import TestKit
import Testing

@Suite("The interop programs' command lines")
struct ProgramTests {
    @Test(
        "exit codes",
        arguments: [
            (["--help"], 0), (["--port", "x"], 2), (["--port"], 2), (["--nope", "1"], 2), ([], 2),
            (["--port", "0", "--host", "nowhere"], 2),
            (["--port", "0", "--use_tls=1", "--cert_file=/no"], 2),
            (["--port", "0", "--use_tls=1", "--cert_file=/no", "--key_file=/no"], 1),
            (["--port", "0", "--host", "192.0.2.1"], 1),
        ] as [([String], Int32)])
    func server(words: [String], code: Int32) async throws {
        #expect(try await BackgroundProcess.run(Executables.interopServer, words).status == code)
    }

    @Test("--use_tls alone: a certificate of the server's own, whose authority the log names")
    func ownCertificate() async throws {
        let log = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-interop-own-\(getpid()).log")
        let server = try BackgroundProcess(
            Executables.interopServer, ["--port", "0", "--use_tls", "true"],
            environment: ProcessInfo.processInfo.environment, logFile: log)
        defer { server.signal(SIGKILL) }
        func value(_ key: String) -> String? {
            server.log.split(separator: "\"\(key)\":\"").dropFirst().first?
                .split(separator: "\"").first.map(String.init)
        }
        while value("address") == nil {
            try #require(server.isRunning, "\(server.log)")
            try await Task.sleep(for: .milliseconds(10))
        }
        let port = try #require(value("address")?.split(separator: ":").last)
        let result = try await BackgroundProcess.run(
            Executables.interopClient,
            [
                "--server_port=\(port)", "--test_case=empty_unary", "--use_tls=true",
                "--use_test_ca=true", "--ca_file=\(value("authority") ?? "")",
                "--server_host_override=\(InteropCertificates.host)",
            ])
        #expect(result.status == 0, "\(result.output) \(server.log)")
    }

    @Test(
        "exit codes and what is printed",
        arguments: [
            (["--help"], 0, "usage: interop-client"),
            (["--server_port=1", "--test_case=nope"], 2, ""),
            (["--test_case=all"], 2, ""), (["--server_port=1"], 2, ""),
            (
                ["--server_port=1", "--test_case=all", "--use_tls=true", "--use_test_ca=true"], 2,
                ""
            ),
            (["--server_port=1", "--test_case=empty_unary"], 1, "FAILED empty_unary: UNAVAILABLE"),
        ] as [([String], Int32, String)])
    func client(words: [String], code: Int32, output: String) async throws {
        let result = try await BackgroundProcess.run(Executables.interopClient, words)
        #expect(result.status == code)
        #expect(output.isEmpty || result.output.contains(output))
    }
}
