import Testing

/// What is checked in is what the generator prints. `deploy/generate` renews it.
@Suite struct GoldenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var proto: String
        var parameter: String
        var folder: String
        var output: String
        var testDescription: String { proto }
    }

    static let cases = [
        Case(
            proto: "testing/everything.proto", parameter: "access=internal",
            folder: "Tests/GeneratorTests/Generated", output: "testing_everything.pb.swift"),
        Case(
            proto: "testing/services.proto",
            parameter: "access=package,mocks=true,defaults=true",
            folder: "Tests/Protos/Expected", output: "testing_services.pb.swift"),
        Case(
            proto: "testing/legacy.proto", parameter: "access=internal",
            folder: "Tests/GeneratorTests/Generated", output: "testing_legacy.pb.swift"),
        Case(
            proto: "bench/bench.proto", parameter: "module=BenchSchema",
            folder: "Sources/Generated/BenchSchema", output: "bench_bench.pb.swift"),
        Case(
            proto: "google/protobuf/descriptor.proto", parameter: "module=Protobuf,services=false",
            folder: "Sources/Runtime/Protobuf/Generated",
            output: "google_protobuf_descriptor.pb.swift"),
    ]

    @Test("the generated file equals the checked-in one", arguments: cases)
    func golden(_ item: Case) throws {
        let files = try Protoc.descriptors(item.proto)
        let response = try Plugin.respond(
            to: Plugin.request([item.proto], parameter: item.parameter, files: files))
        #expect(response.error == nil)
        var content = try #require(response.files.first?.content)
        #expect(response.files.map(\.name) == [item.output])
        var expected = try Protoc.read("\(item.folder)/\(item.output)")
        if item.proto.hasPrefix("google") {
            // There, another file of the package declares the namespace.
            content = body(content)
            expected = body(expected)
        }
        if content != expected {
            let lines = zip(
                content.split(separator: "\n", omittingEmptySubsequences: false),
                expected.split(separator: "\n", omittingEmptySubsequences: false))
            let first = lines.first { $0 != $1 }
            Issue.record(
                "\(item.output) differs at \"\(first?.0 ?? "")\", not \"\(first?.1 ?? "")\"")
        }
    }

    private func body(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.drop { !$0.hasPrefix("extension") }.joined(separator: "\n")
    }

    @Test("files of one package declare their namespace once, and a registry lists all files")
    func namespaceOnce() throws {
        let wanted = [
            "grpc/health/v1/health.proto", "google/rpc/code.proto", "google/rpc/status.proto",
        ]
        var files: [[UInt8]] = []
        for name in wanted { files += try Protoc.descriptors(name) }
        let response = try Plugin.respond(
            to: Plugin.request(wanted, parameter: "module=RPC,registry=Files", files: files))
        #expect(response.error == nil)
        let text = response.files.map(\.content).joined()
        #expect(text.split(separator: "public enum GoogleRpc {}").count == 2)
        #expect(text.split(separator: "public enum HealthV1 {}").count == 2)
        #expect(!text.contains("import RPC"))
        #expect(response.files.last?.name == "Files.pb.swift")
        #expect(response.files.last?.content.contains("GoogleRpc.statusFile,") == true)
    }

    @Test("a module is imported where its protos are, and public only where it shows")
    func imports() throws {
        let wanted = ["google/api/annotations.proto", "google/api/http.proto"]
        let files = try Protoc.descriptors(wanted[0])
        let response = try Plugin.respond(
            to: Plugin.request(
                wanted, parameter: "import=Wire:google/protobuf+Api:google/api", files: files))
        let annotations = try #require(response.files.first?.content)
        let http = try #require(response.files.last?.content)
        #expect(annotations.contains("\nimport Api\npublic import Protobuf\nimport Wire\n"))
        #expect(!http.contains("import Wire"))
        let every = try Plugin.respond(
            to: Plugin.request(wanted, parameter: "import=Extra", files: files))
        #expect(every.files.allSatisfy { $0.content.contains("public import Extra\n") })
    }
}
