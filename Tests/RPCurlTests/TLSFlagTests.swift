import Certificates
import TLS
import Testing

@testable import rpcurl

@Suite(.timeLimit(.minutes(5))) struct TLSFlagTests {
    private let files = Certificates.shared

    @Test("https:// or a flag speaks TLS; nobody is believed without a reason") func server()
        async throws
    {
        let ca = files.path("ca.pem")
        try await Fixture.with(tls: files.server("localhost")) { server in
            for line in [
                ["-cacert", ca, server.address], ["-cacert", ca, "https://\(server.address)"],
                ["-insecure", server.address],
                ["-cacert", ca, "-servername", "localhost", server.address],
            ] {
                let result = try await Fixture.run(line + ["list"])
                #expect(result.output.contains("bench.Bench"), "\(line): \(result.notes)")
            }
            for (line, advice) in [
                ([server.address], "speaks TLS; add -tls, -cacert FILE or -insecure"),
                (["-tls", server.address], "-cacert FILE trusts another authority"),
                (
                    ["-cacert", ca, "-servername", "elsewhere", server.address],
                    "not for elsewhere; -cacert FILE trusts another authority, -servername NAME"
                ),
                (["-cacert", "/nowhere.pem", server.address], "cannot read /nowhere.pem"),
            ] {
                let result = try await Fixture.run(line + ["list"])
                #expect(result.code == 1)
                #expect(result.notes.contains(advice), "\(line): \(result.notes)")
            }
            let doctor = try await Fixture.run(["-cacert", ca, server.address, "doctor"])
            #expect(doctor.output.contains("ok    tls           TLSv1.3 TLS_AES_128_GCM_SHA256"))
            #expect(doctor.code == 0, "\(doctor.output)")
        }
    }

    @Test("our certificate, where one is wanted") func clientCertificate() async throws {
        let tls = try files.server("localhost") {
            $0.clientCertificate = .required
            $0.authorities = files.authority()
        }
        try await Fixture.with(tls: tls) { server in
            let line = ["-cacert", files.path("ca.pem"), server.address, "list"]
            let without = try await Fixture.run(line)
            #expect(without.code == 1)
            #expect(without.notes.contains("-cert FILE and -key FILE show one"), "\(without.notes)")
            let with = try await Fixture.run(
                ["-cert", files.path("client.pem"), "-key", files.path("client.key")] + line)
            #expect(with.output.contains("bench.Bench"), "\(with.notes)")
        }
    }

    @Test("TLS towards a plaintext port") func plaintextPort() async throws {
        try await Fixture.with { server in
            let result = try await server.run("-insecure", "ADDRESS", "list")
            #expect(result.code == 1)
            #expect(
                result.notes.contains("the server speaks plaintext HTTP/2 on this port, not TLS"))
        }
    }

    @Test("flags that contradict each other") func contradictions() async throws {
        for (line, sentence) in [
            (["-plaintext", "https://h:1"], "exclude each other"),
            (["-plaintext", "-tls", "h:1"], "exclude each other"),
            (["-insecure", "-cacert", "f", "h:1"], "-cacert has no use"),
            (["-cert", "f", "h:1"], "belong together"),
        ] {
            let result = try await Fixture.run(line + ["list"])
            #expect(result.code == 2)
            #expect(result.notes.contains(sentence), "\(line): \(result.notes)")
        }
    }
}
