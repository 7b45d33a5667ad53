import TestKit
import Testing

@Suite("The interop programs' command lines")
struct ProgramTests {
    @Test(
        "exit codes",
        arguments: [
            (["--help"], 0), (["--port", "x"], 2), (["--port"], 2), (["--nope", "1"], 2), ([], 2),
            (["--port", "0", "--host", "nowhere"], 2), (["--port", "0", "--use_tls", "true"], 2),
            (["--port", "0", "--use_tls=1", "--cert_file=/no", "--key_file=/no"], 1),
            (["--port", "0", "--host", "192.0.2.1"], 1),
        ] as [([String], Int32)])
    func server(words: [String], code: Int32) async throws {
        #expect(try await BackgroundProcess.run(Executables.interopServer, words).status == code)
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
