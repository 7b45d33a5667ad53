// swift-tools-version: 6.3
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func system(_ name: String, _ pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/C/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func library(
    _ name: String, in folder: String, _ dependencies: [Target.Dependency] = [],
    excluding excluded: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)",
        exclude: excluded, swiftSettings: settings)
}

func tool(_ name: String, _ dependencies: [Target.Dependency], in folder: String = "Tools")
    -> Target
{
    .executableTarget(
        name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)",
        swiftSettings: settings)
}

func tests(_ subject: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(subject)Tests", dependencies: [.init(stringLiteral: subject)] + dependencies,
        path: "Tests/\(subject)Tests", swiftSettings: settings)
}

/// What every service may use: the arrows of the house, in one line.
let serviceDependencies: [Target.Dependency] = [
    "Domain", "Schema", "RPC", "Protobuf", "Postgres", "Kafka", "Telemetry", "Lifecycle",
    "Environment", "Loop",
]

/// What the tests of every service may use.
let serviceTestDependencies: [Target.Dependency] =
    serviceDependencies + ["TestKit", "Crypto"]

let package = Package(
    name: "janji",
    products: [
        .executable(name: "janji", targets: ["janji"]),
        .executable(name: "rpcurl", targets: ["rpcurl"]),
        .executable(name: "protoc-gen-janji", targets: ["protoc-gen-janji"]),
        .library(
            name: "RPC",
            targets: [
                "RPC", "RPCHTTP2", "Compression", "Protobuf", "Loop", "TLS", "Telemetry",
                "Environment",
            ]),
    ],
    targets: [
        system("CUV", "libuv", apt: "libuv1-dev"),
        system("CNghttp2", "libnghttp2", apt: "libnghttp2-dev"),
        system("CProtobufC", "libprotobuf-c", apt: "libprotobuf-c-dev"),
        system("CLibpq", "libpq", apt: "libpq-dev"),
        system("CRdkafka", "rdkafka", apt: "librdkafka-dev"),
        system("CZlib", "zlib", apt: "zlib1g-dev"),
        system("CQRencode", "libqrencode", apt: "libqrencode-dev"),
        system("CCrypto", "libcrypto", apt: "libssl-dev"),
        system("COpenSSL", "libssl", apt: "libssl-dev"),
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),

        library("Environment", in: "Runtime"),
        library("Crypto", in: "Runtime", ["CCrypto", "Environment"]),
        library("TLS", in: "Runtime", ["COpenSSL"]),
        library("Telemetry", in: "Runtime", ["Environment"]),
        library("Loop", in: "Runtime", ["CUV", "Environment"]),
        library("Lifecycle", in: "Runtime", ["Loop", "Telemetry", "Environment"]),
        library("HTTP2", in: "Runtime", ["CNghttp2"]),
        library("Protobuf", in: "Runtime", ["CProtobufC"]),
        library("Compression", in: "Runtime", ["CZlib"]),
        library("QRCode", in: "Runtime", ["CQRencode"]),
        library(
            "RPC", in: "Runtime",
            ["Compression", "TLS", "Loop", "Protobuf", "Telemetry", "Environment", "Crypto"],
            excluding: ["README.md"]),
        library(
            "RPCHTTP2", in: "Runtime",
            [
                "RPC", "HTTP1", "HTTP2", "TLS", "Protobuf", "Compression", "Loop", "Telemetry",
                "Environment",
            ]),

        library("Postgres", in: "Data", ["CLibpq", "Loop", "Telemetry", "Environment"]),
        library(
            "Kafka", in: "Data", ["CRdkafka", "KafkaMockPort", "Loop", "Telemetry", "Environment"]),
        .target(name: "KafkaMockPort", path: "Sources/C/KafkaMockPort"),

        library("Schema", in: "Generated", ["Protobuf", "RPC"]),

        library(
            "Domain", in: "Services",
            [
                "Schema", "RPC", "Protobuf", "Postgres", "Kafka", "Telemetry", "Lifecycle",
                "Crypto", "Environment", "Loop",
            ]),
        library("Identity", in: "Services", serviceDependencies + ["Crypto"]),
        library("Schedule", in: "Services", serviceDependencies),
        library(
            "Booking", in: "Services",
            serviceDependencies + ["Crypto", "HTTPClient", "HTTP1", "QRCode"]),
        library("Notification", in: "Services", serviceDependencies),
        library(
            "FakeProvider", in: "Services",
            ["HTTPClient", "HTTP1", "Protobuf", "Crypto", "Loop", "Environment"]),

        library("HTTP1", in: "Runtime"),
        library("HTTPClient", in: "Runtime", ["CCurl", "HTTP1", "Loop", "Environment"]),
        library("WebSocket", in: "Edge", ["Crypto"]),
        .target(name: "Pages", path: "Sources/Edge/Pages", resources: [.copy("Web")]),
        library(
            "Edge", in: "Edge",
            [
                "Pages", "HTTP1", "WebSocket", "Schema", "RPC", "Protobuf", "Loop", "Telemetry",
                "Lifecycle", "Crypto", "Environment",
            ]),

        library("Generator", in: "Tools", ["Protobuf"]),
        tool("protoc-gen-janji", ["Generator", "Protobuf"]),
        tool(
            "janji",
            [
                "Edge", "HTTP1", "HTTPClient", "Identity", "Schedule", "Booking", "Notification",
                "FakeProvider", "Domain", "Schema",
                "RPC", "RPCHTTP2", "TLS", "Postgres", "Kafka", "Loop", "Telemetry", "Lifecycle",
                "Crypto",
                "Protobuf", "Environment",
            ]),
        tool(
            "rpcurl",
            [
                "RPC", "RPCHTTP2", "HTTP2", "TLS", "Compression", "Protobuf", "Loop", "Telemetry",
                "Environment",
            ]),
        tool(
            "bench-server",
            [
                "BenchSchema", "RPC", "RPCHTTP2", "TLS", "Protobuf", "Loop", "Telemetry",
                "Environment",
            ]),
        tool(
            "bench-client", ["BenchSchema", "RPC", "RPCHTTP2", "Loop", "Telemetry", "Environment"]),
        library("BenchSchema", in: "Generated", ["Protobuf", "RPC"]),
        .target(
            name: "ConformanceSchema", dependencies: ["Protobuf"],
            path: "Tests/Conformance/Generated", swiftSettings: settings),
        .executableTarget(
            name: "protobuf-conformance", dependencies: ["ConformanceSchema", "Protobuf"],
            path: "Tests/Conformance", exclude: ["Generated"], swiftSettings: settings),
        library("InteropSchema", in: "Generated", ["Protobuf", "RPC"]),
        library(
            "Interop", in: "Tools", ["Compression", "InteropSchema", "RPC", "Protobuf", "Loop"]),
        tool(
            "interop-server",
            ["Interop", "InteropSchema", "RPC", "RPCHTTP2", "TLS", "Loop", "Telemetry"]),
        tool(
            "interop-client",
            ["Interop", "Compression", "RPC", "RPCHTTP2", "TLS", "Loop", "Telemetry"]),

        .target(
            name: "TestKit",
            dependencies: [
                "Loop", "Postgres", "Kafka", "RPC", "RPCHTTP2", "HTTP1", "TLS", "Telemetry",
                "Lifecycle", "Environment", "Protobuf",
            ],
            path: "Tests/TestKit", swiftSettings: settings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ConformanceSchema", "Protobuf", "Compression", "RPC", "RPCHTTP2", "HTTP2",
                "HTTP1", "WebSocket", "Environment",
            ],
            path: "Tests/Fuzz/Targets", swiftSettings: settings),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets"], path: "Tests/FuzzTests",
            swiftSettings: settings),
        tests("Environment"),
        tests("Loop", ["Environment"]),
        tests("Telemetry"),
        tests("Lifecycle", ["Environment", "Loop", "Telemetry"]),
        tests("janji", ["Booking", "Certificates", "RPC", "RPCHTTP2", "TLS", "Loop", "Telemetry"]),
        tests("Crypto"),
        .target(name: "Frames", path: "Tests/Frames", swiftSettings: settings),
        tests("HTTP2", ["Frames", "RPC", "RPCHTTP2", "Loop", "Telemetry"]),
        .target(
            name: "Certificates", dependencies: ["TLS"], path: "Tests/Certificates",
            exclude: ["make"], swiftSettings: settings),
        tests(
            "TLS",
            [
                "Certificates", "RPC", "RPCHTTP2", "BenchSchema", "Loop", "Telemetry",
                "Environment", "Protobuf",
            ]),
        tests("Protobuf", ["Schema"]),
        tests("Compression"),
        tests("QRCode"),
        tests("RPC", ["TestKit", "Telemetry", "Environment", "Loop", "Protobuf"]),
        tests(
            "RPCHTTP2",
            [
                "BenchSchema", "Certificates", "Compression", "RPC", "Loop", "Telemetry", "TLS",
                "Protobuf", "HTTP1", "HTTP2", "Frames", "Environment", "TestKit",
            ]),
        tests("Postgres", ["TestKit", "Loop"]),
        tests("Kafka", ["TestKit", "Loop"]),
        tests("Interop", ["TestKit", "interop-server", "interop-client", "rpcurl"]),
        tests("HTTP1"),
        tests(
            "HTTPClient",
            ["HTTP1", "Certificates", "TestKit", "TLS", "Loop", "Environment"]),
        tests("WebSocket"),
        tests(
            "Edge",
            [
                "Schema", "Protobuf", "HTTP1", "RPC", "Loop", "WebSocket", "Telemetry",
                "Environment",
            ]),
        tests("Generator", ["Protobuf"]),
        tests(
            "Domain",
            [
                "TestKit", "Schema", "RPC", "Postgres", "Loop", "Environment", "Protobuf",
                "Telemetry", "Kafka", "Crypto", "Lifecycle",
            ]),
        tests("Identity", serviceTestDependencies),
        tests("Schedule", serviceTestDependencies),
        tests(
            "Booking",
            [
                "TestKit", "FakeProvider", "HTTPClient", "Domain", "Schema", "RPC", "Postgres",
                "Loop", "Environment", "Protobuf",
                "Telemetry", "Kafka", "Crypto", "Lifecycle",
            ]),
        tests("Notification", serviceTestDependencies),
        .testTarget(
            name: "RPCurlTests",
            dependencies: [
                "rpcurl", "Certificates", "Schema", "BenchSchema", "InteropSchema", "RPC",
                "RPCHTTP2", "TLS", "Protobuf", "Loop", "Telemetry", "Environment", "TestKit",
            ],
            path: "Tests/RPCurlTests", swiftSettings: settings),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestKit", "Schema", "RPC", "RPCHTTP2", "Protobuf", "Loop", "Telemetry",
                "HTTP1", "WebSocket", "Postgres", "Kafka", "FakeProvider",
            ],
            path: "Tests/EndToEndTests", swiftSettings: settings),
    ]
)

// What libFuzzer's driver calls is only there in builds of `deploy/fuzz`.
if Context.environment["JANJI_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver",
            swiftSettings: settings))
}

// Some test targets and what they need, nothing else: JANJI_TESTS="Loop RPC" swift test. Programs
// that they start are named too: JANJI_TESTS="EndToEnd janji".
if let suites = Context.environment["JANJI_TESTS"] {
    var waiting = suites.split(separator: " ").flatMap { ["\($0)", "\($0)Tests"] }
    var kept: Set<String> = []
    while let name = waiting.popLast() {
        guard kept.insert(name).inserted,
            let target = package.targets.first(where: { $0.name == name })
        else { continue }
        for dependency in target.dependencies {
            switch dependency {
            case .targetItem(let name, _), .byNameItem(let name, _): waiting.append(name)
            default: break
            }
        }
    }
    package.targets.removeAll { !kept.contains($0.name) }
    package.products = []
}
