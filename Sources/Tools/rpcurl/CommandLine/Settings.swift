import RPC

/// What the flags say.
struct Settings: Sendable {
    var callMetadata = Metadata()
    var reflectionMetadata = Metadata()
    var data: String?
    var maxTime: Duration?
    var connectTimeout = Duration.seconds(10)
    var maxMessageBytes = 4 << 20
    var descriptorSets: [String] = []
    var authority: String?
    var userAgent = "rpcurl/1.0"
    var verbose = false
    var template = false
    var json = false
    var compact = false
    var originalNames = false
    var emitDefaults = false
    var allowUnknownFields = false
    var methods = false
    var help = false
    var version = false
}
