#include "text/languages.hpp"

namespace vecstore::text {
namespace {

// Function words only (articles, pronouns, prepositions, conjunctions, forms of to be and to have, a few
// particles), put together for this project; rather too few than too many: a word that is left out is never
// found.

// What Lucene's English analyzer and bm25s leave out by default.
constexpr std::string_view kEnglish =
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these "
    "they this to was will with";

constexpr std::string_view kArabic =
    "في من إلى على عن مع هذا هذه ذلك تلك هؤلاء الذي التي الذين اللذان اللتان هو هي هم هن أنا نحن أنت أنتم "
    "كان كانت كانوا يكون تكون قد لقد لا لم لن ما ليس ليست أن إن أو أم ثم حتى بين بعد قبل عند كل بعض غير كما "
    "إذا لكن و ف ب منذ حيث أي";

constexpr std::string_view kArmenian =
    "և ու եւ կամ բայց թե որ որը որոնք մի այս այդ այն սա դա նա ես դու մենք դուք նրանք իր նրա իմ մեր ձեր նրանց "
    "եմ ես է ենք եք են էի էր էինք էին չէ հետ համար մեջ վրա մասին ըստ նաև էլ";

constexpr std::string_view kBasque =
    "eta edo baina ez bai ere bat batzuk hau hori hura hauek horiek haiek ni zu gu zuek nire zure gure bere "
    "da dira zen ziren du dute zuen zuten naiz gara dago daude izan nola non zer zein";

constexpr std::string_view kCatalan =
    "el la els les l un una uns unes lo al als del dels pel pels a amb d de en entre per sense sobre fins "
    "des "
    "i o ni però sinó si que què qui com quan on perquè no jo tu ell ella nosaltres vosaltres ells elles em "
    "et es ens us li hi ho se meu meva teu teva seu seva nostre nostra vostre vostra aquest aquesta aquests "
    "aquestes aquell aquella això allò és són era eren ser ha han he hem havia haver també molt més menys";

constexpr std::string_view kDanish =
    "en et den det de der som at og eller men for i på til fra med af om over under ved efter før uden "
    "mellem "
    "mod ikke jeg du han hun vi man mig dig ham hende os jer dem sig min mit mine din dit dine hans hendes "
    "dens dets vores jeres deres sin sit sine denne dette disse er var være været bliver blev har havde have "
    "kan kunne skal skulle vil ville må måtte så hvis når da hvad hvem hvor hvordan hvorfor også";

constexpr std::string_view kDutch =
    "de het een der des den en of maar want dat die dit deze wie wat waar hoe als dan toen omdat hoewel in "
    "op "
    "aan van voor met bij uit naar over onder tot te tegen tussen zonder door om na niet geen ik jij je u "
    "hij "
    "zij ze wij we jullie hen hun hem haar mij me ons zich mijn jouw zijn uw onze is ben bent was waren "
    "wordt worden werd heeft hebben had hadden kan kunnen zal zullen zou er ook nog wel";

constexpr std::string_view kFinnish =
    "ja tai mutta sekä että jos kun koska vaan kuin niin myös ei en et emme ette eivät ole olen olet on "
    "olemme "
    "olette ovat oli olin olit olimme olivat olla ollut minä sinä hän me te he minun sinun hänen meidän "
    "teidän "
    "heidän se sen sitä siinä siitä siihen sillä ne niiden niitä tämä tämän tätä tässä tästä nämä näiden tuo "
    "tuon nuo joka jonka jota jossa josta jotka joiden mikä minkä mitä missä mistä kuka ketä";

constexpr std::string_view kFrench =
    "le la les l un une des du de d au aux à dans par pour en vers avec sans sous sur chez entre et ou mais "
    "donc or ni car que qu qui quoi dont où si comme lorsque ne pas je j tu il elle on nous vous ils elles "
    "me "
    "m te t se s lui leur y mon ma mes ton ta tes son sa ses notre nos votre vos leurs ce c cet cette ces "
    "ceci "
    "cela ça est suis es sommes êtes sont était étaient être été sera seront ai as a avons avez ont avait "
    "avaient avoir eu même aussi";

constexpr std::string_view kGerman =
    "der die das den dem des ein eine einen einem einer eines und oder aber denn sondern dass daß weil wenn "
    "ob "
    "als wie so in im an am auf aus bei beim mit nach von vom vor zu zum zur für gegen ohne um durch über "
    "unter zwischen ich du er sie es wir ihr mich dich ihn uns euch mir dir ihm ihnen sich mein dein sein "
    "unser euer meine deine seine ihre unsere dieser diese dieses diesen diesem jener jene jenes welcher "
    "welche welches was wer wo ist sind bin bist war waren wird werden wurde wurden hat haben hatte hatten "
    "kann können nicht kein keine keinen auch noch nur da";

constexpr std::string_view kGreek =
    "ο η το οι τα του της των τον την τους τις στο στη στον στην στους στις στα ένας ένα μια μία ενός μιας "
    "και "
    "κι ή αλλά όμως ότι πως που να θα αν όταν όπως για με από σε προς κατά μετά χωρίς μέχρι δεν μη μην εγώ "
    "εσύ "
    "αυτός αυτή αυτό αυτοί αυτές αυτά εμείς εσείς μου σου μας σας είναι είμαι είσαι ήταν έχει έχουν είχε "
    "είχαν ως τι ποιος ποια ποιο";

constexpr std::string_view kHindi =
    "का के की को में से पर ने और या लेकिन कि जो यह वह ये वे इस उस इन उन इसका उसका इसके उसके इसकी उसकी मैं "
    "हम तुम आप मेरा हमारा एक है हैं था थे थी थीं हो होता होती होते गया गई गए कर रहा रही रहे तक लिए साथ भी ही "
    "तो नहीं न अपना अपने अपनी क्या कौन जब तब जहाँ वहाँ";

constexpr std::string_view kHungarian =
    "a az egy és vagy de hogy ha mert mint nem se sem is csak már még ez ezt ezek azt azok ennek annak én te "
    "ő "
    "mi ti ők engem téged őt minket titeket őket ki kik mi mit aki akik ami amit amely amelyek ahol amikor "
    "van vannak volt voltak lesz lett lenni lehet kell meg el fel le be ki után között alatt előtt felett";

constexpr std::string_view kIndonesian =
    "dan atau tetapi tapi yang di ke dari pada untuk dengan oleh dalam antara tentang sebagai karena jika "
    "kalau bahwa agar supaya ini itu tersebut saya aku kamu anda dia ia kami kita mereka adalah ialah akan "
    "sudah telah sedang bisa dapat tidak bukan belum juga hanya para sang si";

constexpr std::string_view kIrish =
    "an na agus is nó ach i in ar ag le do de ó go chun faoi roimh trí idir um a nach gur má mé tú sé sí "
    "muid "
    "sinn sibh siad mo do ár bhur seo sin siúd tá níl bhí raibh bíonn beidh ní ba cad cé cá conas";

constexpr std::string_view kItalian =
    "il lo la i gli le l un uno una di a da in con su per tra fra del dello della dei degli delle al allo "
    "alla "
    "ai agli alle dal dallo dalla dai dagli dalle nel nello nella nei negli nelle sul sullo sulla sui sugli "
    "sulle col e ed o od ma né se che chi cui come quando dove perché non io tu lui lei noi voi loro mi ti "
    "ci "
    "vi si ne lo gli mio mia miei mie tuo tua suo sua suoi sue nostro nostra vostro vostra questo questa "
    "questi queste quello quella quelli quelle è sono sei siamo siete era erano essere stato stata ho hai ha "
    "abbiamo avete hanno aveva avevano avere anche più";

constexpr std::string_view kLithuanian =
    "ir arba bet o kad jei jeigu nes kaip kai į iš su be prie po per už apie nuo iki tarp dėl pas ne ar tai "
    "tas ta šis ši tie tos šie šios aš tu jis ji mes jūs jie jos mano tavo jo mūsų jūsų savo kuris kuri "
    "kurie "
    "kurios kas ką yra buvo bus būti esu esi esame esate taip pat";

constexpr std::string_view kNepali =
    "र वा तर कि भने पनि नै त यो त्यो यी ती यस त्यस म हामी तिमी तपाईं ऊ उनी उनीहरू मेरो हाम्रो उसको को का की मा "
    "ले लाई बाट देखि सम्म संग सँग एक छ छन् छु छौं थियो थिए हो हुन् हुन्छ भयो भएको जो जुन के कुन";

constexpr std::string_view kNorwegian =
    "en et ei den det de som at å og eller men for i på til fra med av om over under ved etter før uten "
    "mellom "
    "mot ikke jeg du han hun vi man meg deg ham henne oss dere dem seg min mitt mine din ditt dine hans "
    "hennes "
    "vår vårt våre deres sin sitt sine denne dette disse er var være vært blir ble har hadde ha kan kunne "
    "skal "
    "skulle vil ville må måtte så hvis når da hva hvem hvor hvordan hvorfor også";

constexpr std::string_view kPortuguese =
    "o a os as um uma uns umas de do da dos das em no na nos nas ao à aos às por pelo pela pelos pelas para "
    "com sem sob sobre entre até desde e ou mas nem se que quem qual quais como quando onde porque não eu tu "
    "ele ela nós vós eles elles elas você vocês me te lhe lhes meu minha meus minhas teu tua seu sua seus "
    "suas "
    "nosso nossa este esta estes estas esse essa esses essas aquele aquela isto isso aquilo é são sou somos "
    "era eram foi foram ser estar está estão tem têm tinha ter há também mais";

constexpr std::string_view kRomanian =
    "un o unui unei niște al a ai ale cel cea cei cele lui și sau ori dar iar ci nici că să dacă când cum "
    "unde "
    "de la în din pe cu fără pentru prin spre sub peste între până după despre nu eu tu el ea noi voi ei ele "
    "mă te îl îi le își se meu mea tău ta său sa nostru noastră vostru lor acest această acești aceste acel "
    "acea acei acele care ce cine este e sunt ești suntem era erau fi fost am ai are avem aveți au mai";

constexpr std::string_view kRussian =
    "и в во не на я он она оно они мы вы ты с со к ко по из у за от до о об при для без над под между через "
    "но "
    "а или да же ли бы то что чтобы как если когда где потому это этот эта эти тот та те того той тем меня "
    "мне тебя его её ее ему ей нас нам вас вам их им ними себя свой своя свои мой моя мои наш ваш который "
    "которая которое которые кто чем был была было были быть есть будет будут нет уже ещё еще так там тут "
    "также";

constexpr std::string_view kSerbian =
    "и у на је се да од до за са из по о при код без над под између али или а ни не што који која које кад "
    "када ако јер како где ја ти он она оно ми ви они оне мене тебе њега њој нас вас њих мој твој његов њен "
    "наш ваш њихов овај ова ово тај та то сам си смо сте су био била било били бити ће "
    "i u na je se da od do za sa iz po o pri kod bez nad pod između ali ili a ni ne što koji koja koje kad "
    "kada ako jer kako gde gdje ja ti on ona ono mi vi oni one mene tebe njega njoj nas vas njih moj tvoj "
    "njegov njen naš vaš njihov ovaj ova ovo taj ta to sam si smo ste su bio bila bilo bili biti će";

constexpr std::string_view kSpanish =
    "el la los las lo un una unos unas de del a al en con sin por para sobre entre hasta desde hacia según y "
    "e "
    "o u pero sino ni si que qué quien quién cual cuál como cómo cuando donde porque no yo tú él ella ello "
    "nosotros vosotros ellos ellas usted ustedes me te se nos os le les mi mis tu tus su sus nuestro nuestra "
    "vuestro vuestra este esta estos estas ese esa esos esas aquel aquella esto eso aquello es son soy eres "
    "somos era eran fue fueron ser está están estar ha han he hay había haber también más muy";

constexpr std::string_view kSwedish =
    "en ett den det de som att och eller men för i på till från med av om över under vid efter före utan "
    "mellan mot inte jag du han hon vi ni man mig dig honom henne oss er dem sig min mitt mina din ditt dina "
    "hans hennes dess vår vårt våra deras sin sitt sina denna detta dessa är var vara varit blir blev har "
    "hade "
    "ha kan kunde ska skall skulle vill ville måste så när då vad vem var hur varför också";

constexpr std::string_view kTamil =
    "ஒரு மற்றும் இந்த அந்த இது அது இவை அவை என்று என என்ற ஆனால் அல்லது நான் நாம் நாங்கள் நீ நீங்கள் அவர் "
    "அவன் அவள் அவர்கள் இவர் உள்ள உள்ளது இருந்து மேலும் தான் யார் எந்த";

constexpr std::string_view kTurkish =
    "ve veya ya da de ile ama fakat ancak için gibi kadar göre sonra önce ki mi mı mu mü bir bu şu o bunlar "
    "şunlar onlar ben sen biz siz bana sana ona bize size onu beni seni bizi sizi benim senin onun bizim "
    "sizin "
    "onların bunu buna bunun ne nasıl neden hangi kim çünkü eğer her hem değil daha çok en olan olarak idi "
    "ise "
    "var yok";

constexpr std::string_view kYiddish =
    "דער די דאָס דעם און אָדער אָבער אַז אַ אַן אין אויף פֿון פון צו מיט ביי בײַ נאָך פֿאַר איז זענען זײַנען "
    "געווען איך דו ער זי עס מיר איר ניט נישט וואָס ווער ווי אויך זיך";

constexpr Language kLanguages[] = {
    {"arabic", kArabic, ""},
    {"armenian", kArmenian, ""},
    {"basque", kBasque, ""},
    {"catalan", kCatalan, "d l m n s t"},
    {"danish", kDanish, "", false},
    {"dutch", kDutch, ""},
    {"english", kEnglish, ""},
    {"finnish", kFinnish, "", false},
    {"french", kFrench, "c d j jusqu l lorsqu m n puisqu qu quoiqu s t"},
    {"german", kGerman, ""},
    {"greek", kGreek, ""},
    {"hindi", kHindi, ""},
    {"hungarian", kHungarian, "", false},
    {"indonesian", kIndonesian, ""},
    {"irish", kIrish, "b d m"},
    {"italian", kItalian,
     "all c d dagl dall degl dell gl l m nell negl quell quest s sull sugl t un v agl coll n"},
    {"lithuanian", kLithuanian, "", false},
    {"nepali", kNepali, ""},
    {"norwegian", kNorwegian, "", false},
    {"porter", kEnglish, ""},
    {"portuguese", kPortuguese, ""},
    {"romanian", kRomanian, "", true, Prelude::kRomanian},
    {"russian", kRussian, ""},
    {"serbian", kSerbian, ""},
    {"spanish", kSpanish, ""},
    {"swedish", kSwedish, "", false},
    {"tamil", kTamil, ""},
    {"turkish", kTurkish, "", false, Prelude::kTurkish},
    {"yiddish", kYiddish, ""},
};

}  // namespace

std::span<const Language> known_languages() { return kLanguages; }

}  // namespace vecstore::text
