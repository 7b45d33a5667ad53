/// The numbers of the options that the edge reads (`google/api/annotations.proto`,
/// `janji/common/v1/options.proto`).
enum ContractOptions {
    static let http: Int32 = 72_295_728
    static let access: Int32 = 50001
    static let httpSuccess: Int32 = 50002
    static let sessionCookie: Int32 = 50003
    static let bodyLimit: Int32 = 50004
    static let httpHeader: Int32 = 50012
    static let httpStatus: Int32 = 50021
    static let jsonLowerCase: Int32 = 50031
}
