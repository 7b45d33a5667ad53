import Foundation
import Interop
import TestKit

/// Whose gRPC speaks.
enum InteropPeer: Sendable {
    case ours
    case cxx(URL)
    case python(PeerPrograms.Python)

    var name: String {
        switch self {
        case .ours: "ours"
        case .cxx: "C++"
        case .python: "grpcio"
        }
    }

    /// The cases that its library has no means for, as a client and as a server (interop.py).
    var impossible: (client: Set<InteropCase>, server: Set<InteropCase>) {
        switch self {
        case .ours, .cxx: ([], [])
        case .python:
            ([.clientCompressedStreaming], [.clientCompressedUnary, .clientCompressedStreaming])
        }
    }

    func server(port: UInt16, _ certificates: InteropCertificates?) throws -> BackgroundProcess {
        let files = certificates.map { [$0.certificate, $0.key] } ?? []
        return switch self {
        case .ours:
            try start(
                Executables.interopServer,
                ["--port", "\(port)"]
                    + zip(["--cert_file", "--key_file"], files).flatMap { [$0, $1] }
                    + ["--use_tls", files.isEmpty ? "false" : "true"])
        case .cxx(let program): try start(program.path, ["server", "\(port)"] + files)
        case .python(let peer):
            try start(peer.python, [peer.script, "server", "\(port)"] + files, in: peer.folder)
        }
    }

    /// Runs the cases: what the client printed, a line for each.
    func client(
        port: UInt16, cases: [InteropCase], _ certificates: InteropCertificates?
    ) async throws -> [String] {
        let names = cases.map(\.rawValue).joined(separator: ",")
        let trust = certificates.map { [$0.authority, InteropCertificates.host] } ?? []
        let words = ["client", "\(port)", names] + trust
        let result =
            switch self {
            case .ours:
                try await run(
                    Executables.interopClient,
                    ["--server_port=\(port)", "--test_case=\(names)"]
                        + (certificates.map {
                            [
                                "--use_tls=true", "--use_test_ca=true",
                                "--ca_file=\($0.authority)",
                                "--server_host_override=\(InteropCertificates.host)",
                            ]
                        } ?? []))
            case .cxx(let program): try await run(program.path, words)
            case .python(let peer):
                try await run(peer.python, [peer.script] + words, in: peer.folder)
            }
        let lines = result.output.split(separator: "\n").map(String.init)
        guard (result.status == 0) == lines.allSatisfy({ $0.hasPrefix("ok ") }) else {
            return ["exit code \(result.status): \(result.errors)"]
        }
        return lines
    }

    private func start(
        _ program: String, _ words: [String], in folder: URL? = nil
    ) throws -> BackgroundProcess {
        let log = FileManager.default.temporaryDirectory
            .appendingPathComponent("janji-interop-\(UUID().uuidString).log")
        return try BackgroundProcess(
            program, words, environment: ProcessInfo.processInfo.environment, logFile: log,
            folder: folder)
    }

    private func run(
        _ program: String, _ words: [String], in folder: URL? = nil
    ) async throws -> (status: Int32, output: String, errors: String) {
        try await BackgroundProcess.run(program, words, folder: folder, timeout: .seconds(300))
    }
}
