// swift-tools-version: 6.3
import PackageDescription

// A package of its own that uses Janji's gRPC: `swift run greeter`. See README.md.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "greeter",
    // In a package elsewhere: .package(url: "…", from: "…").
    dependencies: [.package(name: "janji", path: "../..")],
    targets: [
        .target(
            name: "GreeterSchema", dependencies: [.product(name: "RPC", package: "janji")],
            swiftSettings: settings),
        .executableTarget(
            name: "greeter",
            dependencies: ["GreeterSchema", .product(name: "RPC", package: "janji")],
            path: "Sources/Greeter", swiftSettings: settings),
    ]
)

// The code of the guide, taken out of it by `run`: it only has to compile.
if Context.environment["JANJI_GUIDE"] != nil {
    package.targets.append(
        .target(
            name: "Guide",
            dependencies: ["GreeterSchema", .product(name: "RPC", package: "janji")]))
}
