import Foundation
import Interop
import TestKit
import Testing

/// gRPC's official interop cases, between real processes: our programs, Debian's gRPC C++ and
/// PyPI's grpcio.
@Suite("Official interop", .timeLimit(.minutes(15)))
struct InteropTests {
    private struct Pairing {
        let client: InteropPeer
        let server: InteropPeer
        var certificates: InteropCertificates?

        var name: String { "\(client.name)→\(server.name)" + (certificates == nil ? "" : " TLS") }
    }

    @Test("every case, client × server, in plaintext and over TLS")
    func matrix() async throws {
        async let cxx = PeerPrograms.cxx(
            "interop.cc", files: InteropTests.files, services: ["grpc/testing/test"])
        let python = try await PeerPrograms.python("interop.py", files: InteropTests.files)
        var pairings = [Pairing(client: .ours, server: .ours)]
        for other in [try await cxx.map(InteropPeer.cxx), python.map(InteropPeer.python)] {
            guard let other else { continue }
            pairings.append(Pairing(client: .ours, server: other))
            pairings.append(Pairing(client: other, server: .ours))
        }
        var columns: [(name: String, results: [InteropCase: String])] = []
        let certificates = try await InteropCertificates()
        for var pairing in pairings {
            columns.append((pairing.name, try await results(of: pairing)))
            pairing.certificates = certificates
            columns.append((pairing.name, try await results(of: pairing)))
        }
        print(table(columns))
    }

    private static let files = ["empty", "messages", "test"].map { "grpc/testing/\($0).proto" }

    /// `ok` or `FAIL` for each case that both can do.
    private func results(of pairing: Pairing) async throws -> [InteropCase: String] {
        let port = try LocalPort.find()
        let server = try pairing.server.server(port: port, pairing.certificates)
        defer { server.signal(SIGKILL) }
        while !server.log.contains("listening") {
            try #require(server.isRunning, "\(pairing.name): \(server.log)")
            try await Task.sleep(for: .milliseconds(10))
        }
        let impossible = pairing.client.impossible.client.union(pairing.server.impossible.server)
        let cases = InteropCase.allCases.filter { !impossible.contains($0) }
        let lines = try await pairing.client.client(
            port: port, cases: cases, pairing.certificates)
        var results: [InteropCase: String] = [:]
        for name in cases {
            let isGood = lines.contains("ok \(name.rawValue)")
            #expect(isGood, "\(pairing.name) \(name.rawValue):\n\(lines.joined(separator: "\n"))")
            results[name] = isGood ? "ok" : "FAIL"
        }
        if case .cxx = pairing.server, pairing.certificates == nil { try await top(port) }
        return results
    }

    /// gRPC C++ serves channelz: `rpcurl top` shows what the cases did.
    private func top(_ port: UInt16) async throws {
        let top = try await BackgroundProcess.run(
            Executables.rpcurl, ["127.0.0.1:\(port)", "top", "-once"])
        #expect(top.status == 0, "\(top)")
        let lines = top.output.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(lines.first?.suffix(6).first == "servers", "\(top.output)")
        let server = lines.drop { $0.first != "SERVER" }.dropFirst().first
        // SERVER LISTENS CALLS/S RUNNING STARTED FAILED
        #expect(server?.suffix(2).first.flatMap { Int($0) } ?? 0 > 10, "\(top.output)")
        #expect(lines.contains { $0.contains("plaintext") }, "\(top.output)")
    }

    private func table(
        _ columns: [(name: String, results: [InteropCase: String])]
    ) -> String {
        let head = "client→server".padded(28) + columns.map { $0.name.padded(17) }.joined()
        let rows = InteropCase.allCases.map { name in
            name.rawValue.padded(28)
                + columns.map { ($0.results[name] ?? "-").padded(17) }.joined()
        }
        return ([head] + rows).map { "interop \($0)" }.joined(separator: "\n")
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
