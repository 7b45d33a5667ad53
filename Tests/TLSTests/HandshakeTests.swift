import Certificates
import Glibc
import TLS
import Testing

/// Sessions without sockets.
@Suite("TLS handshakes: who gets in, and what the others hear") struct HandshakeTests {
    private let files = Certificates.shared

    @Test("both agree on TLS 1.3, h2 and a forward secret cipher; byte by byte as well")
    func agreement() throws {
        for piece in [Int.max, 1] {
            let pair = try Pair(files.client(), files.server("localhost"))
            pair.run(piece: piece)
            #expect(pair.client.agreement?.version == "TLSv1.3")
            #expect(pair.server.agreement?.applicationProtocol == "h2")
            #expect(pair.client.agreement?.cipher == "TLS_AES_128_GCM_SHA256")
            try Array("hello".utf8).withUnsafeBytes { try pair.client.write($0) }
            try Array("there".utf8).withUnsafeBytes { try pair.server.write($0) }
            pair.run(piece: piece)
            #expect(pair.serverGot == Array("hello".utf8))
            #expect(pair.clientGot == Array("there".utf8))
            pair.client.close()
            pair.run(piece: piece)
            #expect(pair.server.peerHasClosed)
        }
    }

    @Test("a certificate of an intermediate authority comes with its chain; an address as name")
    func chain() throws {
        let pair = try Pair(files.client(), files.server("chained"), host: "127.0.0.1")
        pair.run()
        #expect(pair.client.agreement != nil && pair.server.agreement != nil)
        #expect(pair.client.peerCertificate?.issuer == "CN=intermediate,O=Janji")
    }

    struct Refusal: Sendable, CustomStringConvertible {
        var description: String
        var server = "localhost"
        var host = "localhost"
        var clientKnows = "ca"
        /// A part of what the client's error says, and of the server's.
        var client: String
        var serverHears: String
    }

    @Test(
        "the client refuses, and both say why",
        arguments: [
            Refusal(
                description: "another host", server: "server1",
                client: "hostname mismatch: it is for *.test.google.fr, waterzooi.test.google.be",
                serverHears: "alert"),
            Refusal(
                description: "another address", host: "10.9.9.9",
                client:
                    "IP address mismatch: it is for localhost, 127.0.0.1, ::1, not for 10.9.9.9",
                serverHears: "alert"),
            Refusal(
                description: "two labels under a wildcard", server: "server1",
                host: "a.b.test.google.fr", client: "hostname mismatch", serverHears: "alert"),
            Refusal(
                description: "expired", server: "expired", client: "certificate has expired",
                serverHears: "“certificate expired” (45): it refused our certificate"),
            Refusal(
                description: "an authority nobody knows", server: "other",
                client: "unable to get local issuer certificate",
                serverHears: "“unknown CA” (48): it does not trust who issued our certificate"),
            Refusal(
                description: "the right authority, not known here", clientKnows: "other-ca",
                client: "unable to get local issuer certificate", serverHears: "unknown CA"),
        ])
    func refusals(_ refusal: Refusal) throws {
        let client = try files.client {
            $0.trust = .authorities(files.authority(refusal.clientKnows))
        }
        let pair = try Pair(client, files.server(refusal.server), host: refusal.host)
        pair.run()
        #expect(pair.clientError?.code == .certificate)
        #expect(
            pair.clientError?.message.contains(refusal.client) == true, "\(pair.clientError as Any)"
        )
        #expect(
            pair.serverError?.message.contains(refusal.serverHears) == true,
            "\(pair.serverError as Any)")
    }

    @Test("nobody checked: any certificate does; a name to ask for instead of the host")
    func leniency() throws {
        let lenient = try Pair(files.client { $0.trust = .nobodyChecked }, files.server("expired"))
        lenient.run()
        #expect(lenient.client.agreement != nil)
        let named = try Pair(
            files.client { $0.serverName = "foo.test.google.fr" }, files.server("server1"),
            host: "127.0.0.1")
        named.run()
        #expect(named.client.agreement != nil)
    }

    @Test("the host chooses the certificate: exact, wildcard, default (SNI)")
    func serverNames() throws {
        let server = try files.server("chained", "server1", "client")
        for (host, subject) in [
            ("testclient", "CN=testclient,O=Janji"), ("localhost", "CN=localhost"),
            ("bar.test.google.fr", "CN=*.test.google.com,O=Example,C=US"),
            ("elsewhere.example", "CN=localhost"),
        ] {
            let pair = try Pair(files.client { $0.trust = .nobodyChecked }, server, host: host)
            pair.run()
            #expect(pair.client.peerCertificate?.subject == subject)
        }
    }

    @Test("application protocols: none in common, none offered, and HTTP/1.1 where it is allowed")
    func applicationProtocols() throws {
        let odd = try Pair(
            files.client { $0.applicationProtocols = ["acme/1"] }, files.server("localhost"))
        odd.run()
        #expect(odd.clientError?.code == .alert(120))
        #expect(odd.clientError?.message.contains("does not speak HTTP/2") == true)
        #expect(odd.serverError?.message.contains("ALPN") == true)

        let both = try files.server("localhost") { $0.applicationProtocols = ["h2", "http/1.1"] }
        for (offer, choice) in [
            (["http/1.1"], "http/1.1"), (["http/1.1", "h2"], "h2"), (["spdy/3", "h2"], "h2"),
        ] {
            let pair = try Pair(files.client { $0.applicationProtocols = offer }, both)
            pair.run()
            #expect(pair.server.agreement?.applicationProtocol == choice)
        }
    }

    @Test("versions: 1.2 with an AEAD cipher when the client knows no more")
    func versions() throws {
        let old = try Pair(
            files.client { $0.maximumVersion = .tls12 }, files.server("localhost"))
        old.run()
        #expect(old.server.agreement?.version == "TLSv1.2")
        #expect(old.server.agreement?.cipher == "ECDHE-ECDSA-AES128-GCM-SHA256")
        let strict = try Pair(
            files.client { $0.maximumVersion = .tls12 },
            files.server("localhost") { $0.minimumVersion = .tls13 })
        strict.run()
        #expect(strict.clientError?.code == .alert(70))
        #expect(strict.serverError?.code == .handshake)
    }

    @Test("client certificates: required, optional, of a stranger")
    func clientCertificates() throws {
        func pair(
            _ rule: TLSServerConfiguration.ClientCertificate, _ identity: String?,
            _ version: TLSVersion
        ) throws -> Pair {
            let server = try files.server("localhost") {
                $0.clientCertificate = rule
                $0.authorities = files.authority()
            }
            let client = try files.client {
                $0.identity = identity.map(files.identity)
                $0.maximumVersion = version
            }
            let pair = try Pair(client, server)
            pair.run()
            return pair
        }
        for version in [TLSVersion.tls12, .tls13] {
            let known = try pair(.required, "client", version)
            #expect(known.serverError == nil)
            #expect(known.server.peerCertificate?.subject == "CN=testclient,O=Janji")
            let none = try pair(.required, nil, version)
            #expect(none.serverError?.message.contains("one is required") == true)
            #expect(none.clientError?.code == .alert(version == .tls13 ? 116 : 40))
            #expect(none.clientError?.message.contains("wants a certificate") == true)
            let stranger = try pair(.optional, "other-client", version)
            #expect(stranger.serverError?.message.contains("unable to get local issuer") == true)
            #expect(stranger.clientError?.code == .alert(48))
            let without = try pair(.optional, nil, version)
            #expect(without.server.agreement != nil && without.server.peerCertificate == nil)
        }
    }

    @Test("the fields of a certificate")
    func fields() throws {
        let certificate = try TLSCertificate(files.authority("client"))
        #expect(certificate.subject == "CN=testclient,O=Janji")
        #expect(
            certificate.names == [
                .dns("testclient"), .uri("spiffe://test/client"), .email("client@test"),
                .ip("10.1.2.3"),
            ])
        #expect(certificate.notAfter - certificate.notBefore == 20 * 86_400)
        #expect(certificate.der.starts(with: [0x30, 0x82]))
    }

    @Test("the second handshake is shortened, once per ticket; not after the certificates changed")
    func resumption() throws {
        let server = try files.server("localhost")
        let client = try files.client()
        var resumed: [Bool?] = []
        for _ in 0..<3 {
            let pair = try Pair(client, server)
            pair.run()
            resumed.append(pair.server.agreement?.isResumed)
        }
        #expect(resumed == [false, true, true])
        let stranger = try Pair(client, files.server("localhost"))
        stranger.run()
        #expect(stranger.server.agreement?.isResumed == false)
    }

    @Test("what is not TLS is named, on both sides")
    func otherProtocols() throws {
        for (text, expected) in [
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "plaintext HTTP/2"),
            ("GET / HTTP/1.1\r\n\r\n", "plaintext HTTP/1"), ("\u{01}\u{02}garbage!!", "does not"),
        ] {
            let server = try TLSSession(files.server("localhost"))
            var error: TLSError?
            // Byte by byte: nothing may be concluded too early.
            for byte in Array(text.utf8) where error == nil {
                do {
                    try [byte].withUnsafeBytes { try server.receive($0) { _ in true } }
                } catch let failure as TLSError { error = failure }
            }
            #expect(error?.code == .notTLS)
            #expect(error?.message.contains(expected) == true)
        }
        let client = try TLSSession(files.client(), host: "localhost")
        try client.start()
        let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100]
        let error = #expect(throws: TLSError.self) {
            try settings.withUnsafeBytes { try client.receive($0) { _ in true } }
        }
        #expect(error?.message.contains("plaintext HTTP/2") == true)
    }

    @Test("files that cannot be used are named with the reason")
    func badFiles() throws {
        let bad: [(TLSIdentity, String)] = [
            (TLSIdentity(certificateFile: "/nowhere.pem", keyFile: "/nowhere.key"), "/nowhere.pem"),
            (
                TLSIdentity(
                    certificateFile: files.path("localhost.pem"), keyFile: files.path("client.key")),
                "does not belong"
            ),
            (
                TLSIdentity(
                    certificateFile: files.path("ca.key"), keyFile: files.path("client.key")),
                "no usable certificate"
            ),
            (
                TLSIdentity(certificates: files.authority("client"), key: .pem(Array("x".utf8))),
                "no usable private key"
            ),
        ]
        for (identity, part) in bad {
            let error = #expect(throws: TLSError.self) {
                try TLSServerContext(TLSServerConfiguration(identities: [identity]))
            }
            #expect(error?.code == .configuration)
            #expect(error.map { "\($0)".contains(part) } == true)
        }
    }
}
