/** The categories of `azure-pii` and `tfy-pii`, as the reference product writes them; `{A,B}` stands for one of each. */
const WRITTEN = `
  ABARoutingNumber Address IPAddress Age ARNationalIdentityNumber BankAccountNumber
  {AU,CA,IL,JP,NZ,US}BankAccountNumber {AU,CA,EU,FR,DE,IT,JP,NZ,UK,US}DriversLicenseNumber AUMedicalAccountNumber
  {AU,CA,EU,FI,FR,DE,JP,PL,SE,TW}PassportNumber AUTaxFileNumber AUBusinessNumber AUCompanyNumber {AT,CY,PL}IdentityCard
  {AT,CY,EU,FR,DE,GR,HU,NL,PL,PT,SI,ES,SE}TaxIdentificationNumber {AT,BE,FR,DE,HU,IT,NL}ValueAddedTaxNumber
  AzureDocumentDBAuthKey AzureIAASDatabaseConnectionAndSQLString AzureIoTConnectionString AzurePublishSettingPassword
  AzureRedisCacheString AzureSAS AzureServiceBusString AzureStorageAccountKey AzureStorageAccountGeneric BENationalNumber
  BRCPFNumber BRLegalEntityNumber BRNationalIDRG BGUniformCivilNumber CAHealthServiceNumber CAPersonalHealthID
  {CA,JP}SocialInsuranceNumber {CL,HR,DE,HK,ID,MY,MT}IdentityCardNumber CNResidentIdentityCardNumber CreditCardNumber
  HRNationalIDCardNumber {HR,DK,HU}PersonalIdentificationNumber CZPersonalIdentityNumber Date DateTime DEANumber Email
  EEPersonalIdentificationCode EUDebitCardNumber EUGPSCoordinates {EU,TR}NationalIdentificationNumber
  {EU,FR,ES,CH,US}SocialSecurityNumber FIEuropeanHealthNumber {FI,FR,IL,PL,SA,SE,TW}NationalID FRHealthInsuranceNumber
  GRNationalIDCard INPermanentAccountNumber INUniqueIdentificationNumber InternationalBankingAccountNumber
  IEPersonalPublicServiceNumber ITFiscalCode {JP,KR}ResidentRegistrationNumber JPMyNumberCorporate JPMyNumberPersonal
  JPResidenceCardNumber {LV,LT}PersonalCode LUNationalIdentificationNumberNatural LUNationalIdentificationNumberNonNatural
  MTTaxIDNumber NLCitizensServiceNumber NZInlandRevenueNumber NZMinistryOfHealthNumber NZSocialWelfareNumber
  NOIdentityNumber Organization Person PersonType PHUnifiedMultiPurposeIDNumber PhoneNumber PLREGONNumber
  PTCitizenCardNumber ROPersonalNumericalCode RUPassportNumberDomestic RUPassportNumberInternational
  SGNationalRegistrationIdentityCardNumber SKPersonalNumber SIUniqueMasterCitizenNumber ZAIdentificationNumber ESDNI
  AzureSQLConnectionString SWIFTCode TWResidentCertificate THPopulationIdentificationCode UKElectoralRollNumber
  UKNationalHealthNumber UKNationalInsuranceNumber UKUniqueTaxpayerNumber USUKPassportNumber
  USIndividualTaxpayerIdentification URL`;

/** Names of an earlier revision. */
const OLDER = ['all', 'IP Address', 'DriversLicenseNumber', 'PassportNumber'];

function expanded(word: string): string[] {
  const [, list, rest] = /^\{([^}]*)\}(.*)$/.exec(word) ?? [];
  return list === undefined ? [word] : list.split(',').map((each) => `${each}${rest}`);
}

export const PII_CATEGORIES: ReadonlySet<string> = new Set([
  '*',
  ...OLDER,
  ...WRITTEN.trim().split(/\s+/).flatMap(expanded),
]);
